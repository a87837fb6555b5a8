//! The socket: handshakes that others begin, greetings, and the end of connections.

use std::sync::Arc;

use quinn::{Connection, ConnectionError, Endpoint, EndpointConfig, Incoming};
use tokio::time::{Instant, timeout};

use crate::{
    close::Close,
    config::Config,
    control::{CONTROL_BYTES, CONTROL_MARK, Control, Hello},
    event::{Lost, is_other_chain},
    gate::Admission,
    identity::{Identity, PeerId},
    link::{ControlStream, Link},
    network::{Shared, StartError},
    peers::{Contact, Seat},
    score::Misbehaviour,
    stats::{Direction, count},
    stream::{self, Fault, Frames, Free},
    tls::{self, ConnectionIds, ResetKey, Tls, WINDOW_KNOWN},
};

/// Binds the socket that a node listens and dials with.
pub(crate) fn bind(identity: &Identity, instance: u64, config: &Config, tls: &Tls) -> Result<Endpoint, StartError> {
    let bind = |source| StartError::Bind { address: config.listen, source };
    let socket = std::net::UdpSocket::bind(config.listen).map_err(bind)?;
    let mut endpoint = EndpointConfig::new(Arc::new(ResetKey::new(identity)));
    let identity = identity.clone();
    endpoint.cid_generator(move || Box::new(ConnectionIds::new(&identity, instance)));
    Endpoint::new(endpoint, Some(tls.server()?), socket, Arc::new(quinn::TokioRuntime)).map_err(bind)
}

/// Answers whoever dials, for as long as the network lives.
pub(crate) async fn accept(shared: Arc<Shared>) {
    while let Some(incoming) = shared.endpoint.accept().await {
        let is_proven = incoming.remote_address_validated();
        let admission = shared.gate().admit(incoming.remote_address().ip(), is_proven, Instant::now());
        match admission {
            Admission::Accept => {
                count(&shared.counters.handshakes);
                tokio::spawn(receive(shared.clone(), incoming));
            }
            Admission::Prove => {
                count(&shared.counters.handshakes_proving);
                // It may always be asked of an address that is not proven.
                _ = incoming.retry();
            }
            Admission::Refuse => {
                count(&shared.counters.handshakes_refused);
                incoming.refuse();
            }
        }
    }
}

/// One handshake that another began, and what follows.
async fn receive(shared: Arc<Shared>, incoming: Incoming) {
    let address = incoming.remote_address();
    let handshake = timeout(shared.config.handshake_timeout, handshake(&shared, incoming)).await;
    shared.gate().done();
    let (peer, connection, hello, from) = match handshake {
        Ok(Ok(done)) => done,
        failed => {
            let error = failed.ok().and_then(Result::err).flatten();
            tracing::debug!(%address, ?error, "handshake failed");
            count(&shared.counters.handshakes_failed);
            if error.is_some_and(|error| is_other_chain(&error)) {
                count(&shared.counters.handshakes_other_chain);
            }
            return;
        }
    };
    match take_up(&shared, peer, connection.clone(), Direction::Inbound, hello) {
        Ok(seat) => match timeout(shared.config.handshake_timeout, say(&shared, &connection)).await {
            Ok(Ok(to)) => work(&shared, seat, ControlStream { to, from }),
            _ => {
                seat.close(Close::NoGreeting);
                shared.leave(&peer, seat.number, Lost::ByUs(Close::NoGreeting));
            }
        },
        Err(Close::Duplicate) => {}
        Err(_) => count(&shared.counters.peers_refused),
    }
}

/// The acceptor's first half: the peer greets. The second is a greeting in return, if it is taken.
async fn handshake(
    shared: &Shared,
    incoming: Incoming,
) -> Result<(PeerId, Connection, Hello, Frames), Option<ConnectionError>> {
    let connection = incoming.accept().map_err(Some)?.await.map_err(Some)?;
    let peer = tls::peer_of(&connection).ok_or(None)?;
    match hear(shared, &connection).await {
        Ok((hello, from)) => Ok((peer, connection, hello, from)),
        Err(_) => {
            Close::NoGreeting.close(&connection);
            Err(connection.close_reason())
        }
    }
}

/// The dialler's half: greets, and is greeted by a peer that takes it.
pub(crate) async fn greet(shared: &Shared, connection: &Connection) -> Result<(Hello, ControlStream), Fault> {
    let to = say(shared, connection).await?;
    let (hello, from) = hear(shared, connection).await?;
    Ok((hello, ControlStream { to, from }))
}

async fn say(shared: &Shared, connection: &Connection) -> Result<quinn::SendStream, Fault> {
    let mut to = connection.open_uni().await.map_err(|_| Fault::Lost)?;
    // Small and seldom, and what keeps the network together.
    _ = to.set_priority(1);
    to.write_all(&[CONTROL_MARK]).await?;
    let hello = Control::Hello(Hello { instance: shared.instance, record: shared.own_record() });
    stream::write(&mut to, hello.encode()).await?;
    Ok(to)
}

async fn hear(shared: &Shared, connection: &Connection) -> Result<(Hello, Frames), Fault> {
    let malformed = Fault::Misbehaved(Misbehaviour::Malformed);
    let mut from = connection.accept_uni().await.map_err(|_| Fault::Lost)?;
    if Frames::mark(&mut from, shared.config.handshake_timeout).await? != CONTROL_MARK {
        return Err(malformed);
    }
    let mut from = Frames::new(from, CONTROL_BYTES, shared.config.frame_timeout);
    match from.next(&Free).await?.and_then(|payload| Control::decode(&payload)) {
        Some(Control::Hello(hello)) => Ok((hello, from)),
        _ => Err(malformed),
    }
}

/// Gives a peer its seat and tells of it, or closes the connection and says why.
pub(crate) fn take_up(
    shared: &Arc<Shared>,
    peer: PeerId,
    connection: Connection,
    direction: Direction,
    hello: Hello,
) -> Result<Seat, Close> {
    let contact = Contact { direction, instance: hello.instance };
    let seat = shared.seat(peer, connection.clone(), contact).inspect_err(|close| close.close(&connection))?;
    if seat.peer.is_known() {
        connection.set_receive_window(WINDOW_KNOWN);
    }
    if let Some(record) = hello.record {
        // An old record, or one of somebody else, is no reason not to talk to it.
        if record.record.peer != peer || shared.learn(record, peer).is_err() {
            count(&shared.counters.records_refused);
        }
    }
    Ok(seat)
}

/// Puts a connection to work until it ends.
pub(crate) fn work(shared: &Arc<Shared>, seat: Seat, control: ControlStream) {
    count(&shared.counters.connections);
    let (link, shared) = (Link::new(shared.clone(), seat), shared.clone());
    tokio::spawn(async move {
        let (peer, number) = (link.seat.peer.id, link.seat.number);
        let reason = link.run(control).await;
        shared.leave(&peer, number, reason);
    });
}
