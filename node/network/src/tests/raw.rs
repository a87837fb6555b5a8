//! A peer without manners: it has a key and shakes hands, and sends whatever it is told to.

use quinn::{Connection, ConnectionError, Endpoint, RecvStream, SendStream};

use super::*;
use crate::{
    Close, Control, Hello, SignedRecord,
    control::CONTROL_MARK,
    tls::{NO_NAME, Tls},
};

pub(super) struct Raw {
    pub(super) id: PeerId,
    pub(super) connection: Connection,
    pub(super) control: SendStream,
    /// The node's greeting and what follows.
    pub(super) from: RecvStream,
    _endpoint: Endpoint,
}

pub(super) fn endpoint() -> Endpoint {
    Endpoint::client("127.0.0.1:0".parse().expect("an address")).expect("a socket")
}

/// Shakes hands and no more.
pub(super) async fn dial(endpoint: &Endpoint, seed: u32, to: PeerAddress) -> Result<Connection, ConnectionError> {
    let tls = Tls::new(&identity(seed), &config()).expect("TLS");
    let (client, _) = tls.client(to.id).expect("TLS");
    endpoint.connect_with(client, to.address, NO_NAME).expect("an address").await
}

pub(super) fn frame(payload: &[u8]) -> Vec<u8> {
    [&u32::try_from(payload.len()).expect("small").to_le_bytes(), payload].concat()
}

impl Raw {
    /// Shakes hands, greets and is greeted.
    pub(super) async fn meet(seed: u32, node: &Node) -> Result<Self, Close> {
        let endpoint = endpoint();
        Self::meet_from(endpoint, seed, node.address(), 1).await
    }

    pub(super) async fn meet_from(
        endpoint: Endpoint,
        seed: u32,
        to: PeerAddress,
        instance: u64,
    ) -> Result<Self, Close> {
        let connection = dial(&endpoint, seed, to).await.map_err(|error| Close::of(&error).unwrap_or(Close::Full))?;
        let reason = |error: ConnectionError| Close::of(&error).unwrap_or(Close::Full);
        let mut control = connection.open_uni().await.map_err(reason)?;
        let hello = Control::Hello(Hello { instance, record: None }).encode();
        // Whether the node takes it is told by what it answers.
        _ = control.write_all(&[&[CONTROL_MARK][..], &frame(&hello)].concat()).await;
        let from = connection.accept_uni().await.map_err(reason)?;
        Ok(Self { id: identity(seed).id(), connection, control, from, _endpoint: endpoint })
    }

    /// Waits until the node has asked for records.
    pub(super) async fn asked(&mut self) {
        let mut mark = [0];
        self.from.read_exact(&mut mark).await.expect("the control stream");
        for expected in ["a greeting", "a question"] {
            let mut length = [0; 4];
            self.from.read_exact(&mut length).await.expect(expected);
            let mut payload = vec![0; u32::from_le_bytes(length) as usize];
            self.from.read_exact(&mut payload).await.expect(expected);
            let is_it = match Control::decode(&payload) {
                Some(Control::Hello(_)) => expected == "a greeting",
                Some(Control::Ask) => expected == "a question",
                _ => false,
            };
            assert!(is_it, "not {expected}");
        }
    }

    /// Opens a stream and sends bytes.
    pub(super) async fn stream(&self, bytes: &[u8]) -> SendStream {
        let mut stream = self.connection.open_uni().await.expect("a stream");
        // The node may close the connection over the first of them.
        _ = stream.write_all(bytes).await;
        stream
    }

    pub(super) async fn say(&mut self, control: &Control) {
        _ = self.control.write_all(&frame(&control.encode())).await;
    }

    pub(super) async fn tell(&mut self, records: Vec<SignedRecord>) {
        self.say(&Control::Records(records)).await;
    }

    /// What the node said when it closed the connection.
    pub(super) async fn closed(&self) -> Option<Close> {
        Close::of(&timeout(MINUTE, self.connection.closed()).await.expect("it closes"))
    }
}
