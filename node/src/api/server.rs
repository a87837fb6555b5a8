//! Taking connections: one HTTP/1.1 server for each listener.
//!
//! hyper is driven here directly because a public listener needs what the ready-made loop leaves out: a limit on
//! connections, a deadline for a request's head (a client that sends a byte a minute must not keep a slot), and an
//! end that answers what was asked before it stops.

use std::{io, sync::Arc, time::Duration};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};

/// Pause after a failed accept: the usual cause, no file descriptors left, lasts until connections close.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Headers of a request at the most.
const HEADERS: usize = 64;
/// Bytes of a request's head at the most.
const HEAD_BYTES: usize = 64 << 10;

/// What bounds a listener.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Open connections.
    pub(crate) connections: usize,
    /// For a request's head to arrive.
    pub(crate) header_timeout: Duration,
    /// For answers under way when the server stops.
    pub(crate) drain: Duration,
}

/// Serves until told to stop, then answers what was asked.
pub(crate) async fn serve(listener: TcpListener, router: Router, bounds: Bounds, mut stop: watch::Receiver<bool>) {
    let slots = Arc::new(Semaphore::new(bounds.connections));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &slots) => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let (stream, slot) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot take a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let mut server = auto::Builder::new(TokioExecutor::new()).http1_only();
        server
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(bounds.header_timeout)
            .max_headers(HEADERS)
            .max_buf_size(HEAD_BYTES);
        let service = TowerToHyperService::new(router.clone());
        let connection = server.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended badly");
            }
            drop(slot);
        });
    }
    drop(listener);
    if tokio::time::timeout(bounds.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("some answers were still under way and are cut off");
    }
}

/// The next connection, once there is a slot for it: until then it waits in the listener's queue.
async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let slot = slots.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    // Answers are small and awaited: never hold one back to join it with the next.
    stream.set_nodelay(true)?;
    Ok((stream, slot))
}
