//! Taking connections: one HTTP/1.1 server for each listener.
//!
//! hyper is driven here directly because a public listener needs what the ready-made loop leaves out: a limit on
//! connections that idle ones cannot use up, a deadline for a request's head (a client that sends a byte a minute must
//! not keep a seat) and for an answer to be taken, and an end that answers what was asked before it stops.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::Router;
use hyper::service::{Service, service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use rustorium_chain::submit::Source;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::metrics::Connections;

mod patient;
mod seats;

use patient::Patient;
use seats::{Seat, Seats};

/// Pause after a failed accept: the usual cause, no file descriptors left, lasts until connections close.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Headers of a request at the most.
const HEADERS: usize = 64;
/// Bytes of a request's head at the most.
const HEAD_BYTES: usize = 64 << 10;

/// Connections are told apart by a number, over all listeners.
static CONNECTIONS: AtomicU64 = AtomicU64::new(1);

/// What bounds a listener.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Open connections.
    pub(crate) connections: usize,
    /// For a request's head to arrive.
    pub(crate) header_timeout: Duration,
    /// For a client to take some of its answer.
    pub(crate) write_timeout: Duration,
    /// For answers under way when the server stops.
    pub(crate) drain: Duration,
}

/// Serves until told to stop, then answers what was asked.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    counted: Connections,
    mut stop: watch::Receiver<bool>,
) {
    let seats = Seats::new(bounds.connections, counted);
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &seats) => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let (stream, seat) = match accepted {
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
        let source = Source(CONNECTIONS.fetch_add(1, Ordering::Relaxed));
        let inner = TowerToHyperService::new(router.clone());
        let (all, connection) = (Arc::clone(&seats), Arc::clone(seat.connection()));
        let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(source);
            let busy = Seat::busy(&all, &connection);
            let answer = inner.call(request);
            async move {
                let answer = answer.await;
                drop(busy);
                answer
            }
        });
        let stream = TokioIo::new(Patient::new(stream, bounds.write_timeout, Arc::clone(seat.connection())));
        let connection = server.serve_connection_with_upgrades(stream, service).into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            tokio::select! {
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended badly");
                },
                // Nothing is under way on it.
                () = seat.asked_to_leave() => tracing::debug!("an idle connection makes room for a new one"),
            }
            drop(seat);
        });
    }
    drop(listener);
    if tokio::time::timeout(bounds.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("some answers were still under way and are cut off");
    }
}

/// The next connection, and a seat for it. While nobody can be asked to leave, the others wait in the listener's queue.
async fn accept(listener: &TcpListener, seats: &Arc<Seats>) -> io::Result<(TcpStream, Seat)> {
    let (stream, _) = listener.accept().await?;
    // Answers are small and awaited: never hold one back to join it with the next.
    stream.set_nodelay(true)?;
    let seat = seats.take().await.ok_or_else(|| io::Error::other("the seats are gone"))?;
    Ok((stream, seat))
}
