//! Journals of votes: one an epoch, written by simplex before a vote is sent.
//!
//! Here is read how far one goes, before its engine opens it. That is what a node will have to show before it votes
//! again, once a lost journal is to be noticed: its peers know what it signed.

use std::num::NonZeroUsize;

use commonware_consensus::{
    Viewable,
    simplex::{
        scheme::ed25519::Scheme,
        types::{Artifact, Attributable},
    },
};
use commonware_cryptography::certificate::{Membership, Scheme as _, Verifier as _};
use commonware_runtime::{ReadOptions, buffer::paged::CacheRef};
use commonware_storage::journal::segmented::variable::{Config, Journal};
use commonware_utils::NZUsize;
use rustorium_types::certificate::View;

use crate::{block::Digest, runtime::Runtime};

/// Bytes of a journal's buffers.
pub(crate) const BUFFER: NonZeroUsize = NZUsize!(1 << 20);

/// The name of an epoch's journal.
pub(crate) fn partition(prefix: &str, epoch: u64) -> String {
    format!("{prefix}-votes-{epoch}")
}

/// The highest view that this node voted in, by a journal; nothing if it never did. An `Err` is a journal that cannot be
/// read.
pub(crate) async fn signed<E: Runtime>(
    context: E,
    partition: String,
    scheme: &Scheme,
    cache: &CacheRef,
) -> Result<Option<View>, commonware_storage::journal::Error> {
    let config = Config {
        partition,
        // As simplex has it.
        compression: None,
        codec_config: scheme.certificate_codec_config(),
        page_cache: cache.clone(),
        write_buffer: BUFFER,
    };
    let journal = Journal::<_, Artifact<Scheme, Digest>>::init(context, config).await?;
    let mut entries = journal.replay(0, 0, BUFFER, ReadOptions::DONT_CACHE).await?;
    let mut highest = None;
    while let Some(entry) = entries.next().await {
        let (_, _, _, entry) = entry?;
        let signer = match &entry {
            Artifact::Notarize(vote) => vote.signer(),
            Artifact::Nullify(vote) => vote.signer(),
            Artifact::Finalize(vote) => vote.signer(),
            _ => continue,
        };
        if scheme.me() == Some(Membership::Signer(signer)) {
            highest = highest.max(Some(View(entry.view().get())));
        }
    }
    Ok(highest)
}
