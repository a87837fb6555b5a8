//! The other nodes that this one is connected to.

use axum::{Json, extract::State};
use rustorium_network::{BAN_SCORE, Direction, PeerSnapshot};
use rustorium_types::id;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::{App, scalar::Hash},
    peers::Links,
};

/// This node and the others that it is connected to.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Peers {
    /// This node's id, by which others know it; none on a chain of one machine.
    id: Option<Hash>,
    /// The validator's key that this node votes with, if it is one.
    validator: Option<Hash>,
    /// Who is connected, by id.
    peers: Vec<Peer>,
    /// Who is banned, by id.
    bans: Vec<Ban>,
}

/// A node that is connected.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Peer {
    /// Its id.
    id: Hash,
    /// Where it is.
    address: String,
    /// Who dialled: `outbound` if this node did.
    direction: &'static str,
    /// The validator that it proved to be; none of a node that follows.
    validator: Option<Hash>,
    /// A round trip, in milliseconds.
    rtt_ms: f64,
    /// How long it is connected, in seconds.
    connected_seconds: u64,
    /// Bytes that came from it.
    bytes_in: u64,
    /// Bytes that went to it.
    bytes_out: u64,
    /// Points of misbehaviour; a hundred are a ban.
    score: u32,
}

/// A node that is banned.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ban {
    /// Its id.
    id: Hash,
    /// For what.
    reason: String,
    /// For how much longer, in seconds.
    seconds: u64,
}

const _: () = assert!(BAN_SCORE == 100, "the documentation of `score` says so");

/// The other nodes that this one is connected to.
#[utoipa::path(get, path = "/v1/peers", tag = "chain", responses((status = 200, body = Peers)))]
pub(crate) async fn peers(State(app): State<App>) -> Json<Peers> {
    let Some(links) = app.links() else {
        return Json(Peers { id: None, validator: None, peers: Vec::new(), bans: Vec::new() });
    };
    let network = links.network();
    let ban = |ban: rustorium_network::BanSnapshot| Ban {
        id: Hash(id::Hash(ban.id.0.0)),
        reason: ban.reason.to_string(),
        seconds: ban.remaining.as_secs(),
    };
    Json(Peers {
        id: Some(Hash(id::Hash(network.id().0.0))),
        validator: links.own_validator().map(|key| Hash(id::Hash(key))),
        peers: network.peers().into_iter().map(|peer| Peer::of(links, peer)).collect(),
        bans: network.bans().into_iter().map(ban).collect(),
    })
}

impl Peer {
    fn of(links: &Links, peer: PeerSnapshot) -> Self {
        Self {
            id: Hash(id::Hash(peer.id.0.0)),
            address: peer.address.to_string(),
            direction: match peer.direction {
                Direction::Outbound => "outbound",
                Direction::Inbound => "inbound",
            },
            validator: links.validator(&peer.id).map(|key| Hash(id::Hash(key))),
            rtt_ms: peer.rtt.as_secs_f64() * 1e3,
            connected_seconds: peer.connected_for.as_secs(),
            bytes_in: peer.traffic.iter().map(|traffic| traffic.bytes_in).sum(),
            bytes_out: peer.traffic.iter().map(|traffic| traffic.bytes_out).sum(),
            score: peer.score,
        }
    }
}
