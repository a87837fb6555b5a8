//! Where the other validators are, and what of this one's they have: asked at the start, before it votes.
//!
//! ```text
//! quorum − 1 others ── head, blocks behind ours ──► the height that all but f of them have: vote from there on
//!                                               └─► a certificate with our signature that is not in our journal:
//!                                                   the directory is an older copy, and must not be voted with
//! ```
//!
//! Without so many others nothing becomes final, so that waiting for them costs nothing. An older copy is noticed where
//! its key signed for a block behind the copy's last, and a certificate that somebody has shows it: one of three in four
//! on average. What is not noticed are votes of the last moments before a copy was made.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rustorium_chain::cut::Rules;
use rustorium_consensus::Caution;
use rustorium_network::Misbehaviour;
use rustorium_types::{
    certificate::{self, ValidatorSet, View},
    ed25519::PublicKey,
    id::{Epoch, Height},
};
use tokio::sync::watch;

use super::{
    Links,
    sync::{Position, check},
    wire::WireBlock,
};
use crate::journal::Signed;

/// Between two looks at who is there.
const PAUSE: Duration = Duration::from_millis(50);

/// How far this node's own votes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Voted {
    /// The epoch in which it starts: it voted in no later one.
    pub(crate) epoch: Epoch,
    /// The highest view of it in its journal.
    pub(crate) view: Option<View>,
}

/// What is compared, and who is told.
pub(crate) struct Comparison {
    /// How far the journal goes, once it is read.
    pub(crate) voted: watch::Receiver<Option<Voted>>,
    /// When the journal was made.
    pub(crate) caution: Caution,
    /// The height from which on this node votes.
    pub(crate) height: watch::Sender<Option<Height>>,
    /// What the key signed that the journal does not have.
    pub(crate) older: Box<dyn FnOnce(Signed) + Send>,
}

/// Asks for what is behind a position until enough have answered.
pub(super) async fn compare(links: Arc<Links>, position: Position, mut comparison: Comparison) {
    let Ok(voted) = comparison.voted.wait_for(Option::is_some).await.map(|voted| *voted) else { return };
    let (Some(voted), Some(key)) = (voted, links.key.as_ref().map(|key| key.public_key())) else { return };
    let mut heads: BTreeMap<[u8; 32], Height> = BTreeMap::new();
    loop {
        let rules = links.rules();
        let Ok(validators) = ValidatorSet::new(&rules.epoch().validators) else { return };
        let (own, faulty) = (validators.keys().contains(&key), validators.keys().len() - validators.quorum());
        if heads.len() + usize::from(own) >= validators.quorum() {
            let mut heights: Vec<Height> = heads.into_values().collect();
            heights.sort_unstable_by(|one, other| other.cmp(one));
            // As many as may lie are not believed that they are further.
            let height = heights.get(faulty).or(heights.last()).copied().unwrap_or(Height::ZERO);
            tracing::info!(%height, "known where the other validators are");
            comparison.height.send_replace(Some(height));
            return;
        }
        for peer in links.validators() {
            let Some(validator) = links.validator(&peer).filter(|validator| !heads.contains_key(validator)) else {
                continue;
            };
            let Some(answer) = links.ask_blocks(&peer, position.head.height).await else { continue };
            if !answer.blocks.is_empty() && check(&mut position.clone(), answer.blocks.clone()).is_err() {
                links.network.report(&peer, Misbehaviour::Hostile);
                continue;
            }
            if let Some(signed) = signed(&key, voted, &comparison.caution, position.rules.clone(), &answer.blocks) {
                return (comparison.older)(signed);
            }
            heads.insert(validator, answer.head);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What a key signed for these blocks, whose certificates hold, that it did not vote for by its journal.
fn signed(key: &PublicKey, voted: Voted, caution: &Caution, mut rules: Rules, blocks: &[WireBlock]) -> Option<Signed> {
    for WireBlock { header, certificate, .. } in blocks {
        let validators = ValidatorSet::new(&rules.epoch().validators).ok()?;
        rules.pass(header);
        let (Ok(index), Ok(proposal)) = (validators.keys().binary_search(key), certificate::peek(certificate)) else {
            continue;
        };
        let place = (proposal.epoch, Some(proposal.view));
        let is_known = place <= (voted.epoch, voted.view) || caution.may_precede_journal(header.time);
        if !is_known && certificate::has_signed(certificate, index) {
            return Some(Signed::new(proposal.epoch, proposal.view));
        }
    }
    None
}
