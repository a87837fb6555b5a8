//! A channel of a node beside consensus'.

use bytes::Bytes;
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{Receiver as _, Recipients, Sender as _};

use super::{In, Out};

/// What a node sends to others and hears from them, by their numbers.
pub struct Bodies {
    nodes: Vec<PublicKey>,
    out: Out,
    incoming: In,
}

impl Bodies {
    pub(super) const fn new(nodes: Vec<PublicKey>, out: Out, incoming: In) -> Self {
        Self { nodes, out, incoming }
    }

    /// Sends a message, which may be lost.
    pub fn send(&mut self, to: usize, message: Bytes) {
        let to = Recipients::One(self.nodes[to].clone());
        self.out.send(to, message, false);
    }

    /// The next message, and who sent it; none once the network has ended.
    pub async fn receive(&mut self) -> Option<(usize, Bytes)> {
        let (from, message) = self.incoming.recv().await.ok()?;
        let from = self.nodes.iter().position(|node| *node == from)?;
        Some((from, Bytes::copy_from_slice(message.as_ref())))
    }
}
