//! Journals of votes: one an epoch, written by simplex before a vote is sent.
//!
//! Here is read how far one goes, before its engine opens it: what a node holds what its key signed against, before it
//! votes again. An engine that listens has a journal of its own, of what it heard.

use std::num::NonZeroUsize;

use commonware_consensus::{
    Viewable,
    simplex::{
        scheme::ed25519::Scheme,
        types::{Artifact, Attributable},
    },
};
use commonware_cryptography::certificate::Verifier as _;
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

/// The name of what is heard of an epoch by an engine that does not vote.
pub(crate) fn heard(prefix: &str, epoch: u64) -> String {
    format!("{prefix}-heard-{epoch}")
}

/// The highest view that a validator, by its place in the committee, voted in by its journal; nothing if it never did. An
/// `Err` is a journal that cannot be read.
pub(crate) async fn signed<E: Runtime>(
    context: E,
    partition: String,
    scheme: &Scheme,
    validator: Option<usize>,
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
        if validator == Some(usize::from(signer)) {
            highest = highest.max(Some(View(entry.view().get())));
        }
    }
    Ok(highest)
}
