//! Frames out of and into streams of QUIC, within sizes, rates and deadlines.

use std::time::Duration;

use bytes::Bytes;
use quinn::{ReadError, RecvStream, SendStream, VarInt, WriteError};
use tokio::time::{Instant, timeout_at};

use crate::{
    class::patience,
    frame::{self, Decoded, Decoder, FrameError},
    score::Misbehaviour,
};

/// Bytes of a chunk that is taken out of a stream at once.
const CHUNK_BYTES: usize = 64 << 10;

/// Why a stream is of no further use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection is gone, or this side has closed it.
    Lost,
    /// The peer gave the stream up, with this code.
    Given(VarInt),
    /// The stream ended too early. A node that is stopped ends its streams wherever they are, so that is no offence.
    Cut,
    /// The peer did something.
    Misbehaved(Misbehaviour),
}

/// A charge for what is about to be read: waits for as long as the sender is ahead of its rate.
pub(crate) trait Toll: Sync {
    fn pay(&self, bytes: usize) -> impl Future<Output = Result<(), Fault>> + Send;
}

/// What is read on request costs nothing more.
pub(crate) struct Free;

impl Toll for Free {
    async fn pay(&self, _: usize) -> Result<(), Fault> {
        Ok(())
    }
}

/// The frames of an incoming stream.
pub(crate) struct Frames {
    stream: RecvStream,
    decoder: Decoder,
    rest: Bytes,
    patience: Duration,
}

impl Frames {
    /// Reads the byte that a stream begins with, which comes at once or is a stalled stream.
    pub(crate) async fn mark(stream: &mut RecvStream, deadline: Duration) -> Result<u8, Fault> {
        match timeout_at(Instant::now() + deadline, stream.read_chunk(1, true)).await {
            Err(_) => Err(Fault::Misbehaved(Misbehaviour::Stalled)),
            Ok(Ok(chunk)) => chunk.and_then(|chunk| chunk.bytes.first().copied()).ok_or(Fault::Cut),
            Ok(Err(error)) => Err(error.into()),
        }
    }

    pub(crate) fn new(stream: RecvStream, limit_bytes: usize, patience: Duration) -> Self {
        Self { stream, decoder: Decoder::new(limit_bytes), rest: Bytes::new(), patience }
    }

    /// The next payload, or `None` when the stream ends between two. There may be any time between frames; one that is
    /// begun has its deadline.
    pub(crate) async fn next(&mut self, toll: &impl Toll) -> Result<Option<Bytes>, Fault> {
        self.frame(toll, None).await
    }

    async fn frame(&mut self, toll: &impl Toll, mut deadline: Option<Instant>) -> Result<Option<Bytes>, Fault> {
        loop {
            while !self.rest.is_empty() {
                match self.decoder.decode(&mut self.rest)? {
                    Some(Decoded::Begun(bytes)) => {
                        toll.pay(bytes).await?;
                        deadline = Some(Instant::now() + patience(self.patience, bytes));
                    }
                    Some(Decoded::Payload(payload)) => return Ok(Some(payload)),
                    None => {}
                }
            }
            if deadline.is_none() && !self.decoder.is_idle() {
                deadline = Some(Instant::now() + self.patience);
            }
            match self.chunk(deadline).await? {
                Some(chunk) => self.rest = chunk,
                None if self.decoder.is_idle() => return Ok(None),
                None => return Err(Fault::Cut),
            }
        }
    }

    /// The only payload of a stream, which ends behind it; it may have to begin by some time.
    pub(crate) async fn only(&mut self, toll: &impl Toll, begins: Option<Instant>) -> Result<Bytes, Fault> {
        let payload = self.frame(toll, begins).await?.ok_or(Fault::Cut)?;
        let deadline = Some(Instant::now() + self.patience);
        if !self.rest.is_empty() || self.chunk(deadline).await?.is_some() {
            return Err(Fault::Misbehaved(Misbehaviour::Malformed));
        }
        Ok(payload)
    }

    async fn chunk(&mut self, deadline: Option<Instant>) -> Result<Option<Bytes>, Fault> {
        let chunk = self.stream.read_chunk(CHUNK_BYTES, true);
        let chunk = match deadline {
            Some(deadline) => {
                timeout_at(deadline, chunk).await.map_err(|_| Fault::Misbehaved(Misbehaviour::Stalled))?
            }
            None => chunk.await,
        };
        Ok(chunk?.map(|chunk| chunk.bytes))
    }
}

/// Writes a frame.
pub(crate) async fn write(stream: &mut SendStream, payload: Bytes) -> Result<(), Fault> {
    stream.write_all_chunks(&mut [frame::header(&payload), payload]).await.map_err(Fault::from)
}

impl From<FrameError> for Fault {
    fn from(error: FrameError) -> Self {
        Self::Misbehaved(match error {
            FrameError::Oversized { .. } => Misbehaviour::Oversized,
            FrameError::Empty => Misbehaviour::Malformed,
        })
    }
}

impl From<ReadError> for Fault {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Reset(code) => Self::Given(code),
            _ => Self::Lost,
        }
    }
}

impl From<WriteError> for Fault {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Stopped(code) => Self::Given(code),
            _ => Self::Lost,
        }
    }
}
