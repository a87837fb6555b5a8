//! Which validator a peer is: said with the validator's signature, and believed only then.
//!
//! A validator's network key is another than the one that it votes with, and may be replaced without asking anybody.
//! So a peer that is a validator says so, with a signature over its peer id, whenever it is connected.

use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError},
    time::Duration,
};

use rustorium_network::{Class, Event, Message, Misbehaviour, PeerId};
use rustorium_types::ed25519::PublicKey;
use tokio::sync::{broadcast, mpsc};

use super::{
    Links,
    wire::{Introduction, decode, encode},
};

/// How often all peers are told again, in case a message was lost.
const AGAIN: Duration = Duration::from_secs(2);

/// Introduces this node to whoever is connected, and hears who they are, until nothing comes in any more.
pub(super) async fn run(links: Arc<Links>, mut messages: mpsc::Receiver<Message>) {
    let own = links.key.as_ref().map(|key| encode(&Introduction::sign(key, &links.genesis, &links.network.id())));
    let mut events = links.network.events();
    let mut epochs = links.epochs();
    let mut again = tokio::time::interval(AGAIN);
    let introduce = |peer: &PeerId| {
        if let Some(own) = &own {
            let _ = links.network.send(peer, Class::Sync, own.clone());
        }
    };
    loop {
        let all = || links.network.peers().iter().for_each(|peer| introduce(&peer.id));
        tokio::select! {
            message = messages.recv() => match message {
                Some(message) => links.hear(&message),
                None => return,
            },
            event = events.recv() => match event {
                Ok(Event::Connected { peer, .. }) => introduce(&peer),
                Err(broadcast::error::RecvError::Closed) => return,
                // Missed ones are told with all others.
                _ => {}
            },
            // Who had no interest in this validator before may have now.
            Ok(()) = epochs.changed() => all(),
            _ = again.tick() => all(),
        }
    }
}

impl Links {
    fn hear(&self, Message { peer, payload }: &Message) {
        let Some(introduction) = decode::<Introduction>(payload) else {
            return self.network.report(peer, Misbehaviour::Invalid);
        };
        if self.validator(peer) == Some(introduction.validator) {
            return;
        }
        if !introduction.is_of(&self.genesis, peer) {
            return self.network.report(peer, Misbehaviour::Hostile);
        }
        if self.lane_of(&introduction.validator).is_none() {
            // Anybody has a key; only this epoch's are of interest.
            return;
        }
        let mut introduced = self.introduced.write().unwrap_or_else(PoisonError::into_inner);
        // Of two peers with one key, the one that spoke last is meant.
        introduced.retain(|_, validator| *validator != introduction.validator);
        introduced.insert(*peer, introduction.validator);
        self.directory.set(PublicKey(introduction.validator), *peer);
        let allowed: BTreeSet<PeerId> = introduced.keys().copied().collect();
        drop(introduced);
        self.network.allow(&allowed);
        tracing::info!(%peer, validator = %rustorium_types::id::Hash(introduction.validator), "a validator is connected");
    }
}

#[cfg(test)]
mod tests {
    use rustorium_network::Identity;
    use rustorium_types::{ed25519::SigningKey, id::Hash};

    use super::*;

    #[test]
    fn an_introduction_is_of_one_peer_of_one_chain() {
        let key = SigningKey::from_seed([1; 32]);
        let [peer, other] = [2, 3].map(|seed| Identity::from_seed([seed; 32]).id());
        let introduction = Introduction::sign(&key, &Hash([9; 32]), &peer);
        assert!(introduction.is_of(&Hash([9; 32]), &peer));
        assert!(!introduction.is_of(&Hash([9; 32]), &other));
        assert!(!introduction.is_of(&Hash([8; 32]), &peer));
        let stolen = Introduction { validator: SigningKey::from_seed([4; 32]).public_key().0, ..introduction };
        assert!(!stolen.is_of(&Hash([9; 32]), &peer));
    }
}
