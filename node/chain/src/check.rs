//! `db check`: whether what a directory holds is still what was written, without executing anything.
//!
//! ```text
//! log        every frame and link │ every header follows │ its cut and batch root are over its records
//!            │ its certificate is the validators'
//! database   every header and body is the log's │ receipts and events are under their roots
//!            │ values are under the state root (Store::check)
//! ```

use std::{path::Path, sync::Arc};

use rustorium_types::id::{Height, Timestamp};

use crate::{
    chain::{Disks, log_disk},
    cut::{Block, Parent, Results, Rules, Verdict},
    engine::{events_root, receipts_root},
    follow::{FollowError, check_certificate},
    lock::DirectoryLock,
    log::{Kind, LogError, Reader},
    replay::{ReplayError, ResultPart},
    snapshot::Snapshot,
    storage::{Store, StoreCheck, StoreError, StoreOptions},
    verify::Judge,
};

/// What was found whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckReport {
    /// Entries of the log.
    pub entries: u64,
    /// Headers of the log.
    pub blocks: u64,
    /// Records of the log.
    pub records: u64,
    /// Blocks of the database that were compared with the log.
    pub stored_blocks: u64,
    /// What the database says of itself.
    pub store: StoreCheck,
}

/// Checks a directory that no node uses.
///
/// # Errors
/// The first thing that is damaged, or what kept the check from going on.
pub fn check(directory: &Path, options: StoreOptions) -> Result<CheckReport, ReplayError> {
    let _lock = DirectoryLock::take(directory)?;
    let reader = Reader::new(log_disk(directory)?);
    let store = Store::open(directory, &reader.genesis()?, &options)?;
    check_both(&reader, &store)
}

/// Checks the files of a simulated machine.
///
/// # Errors
/// As [`check`].
pub fn check_on(disks: Disks, options: &StoreOptions) -> Result<CheckReport, ReplayError> {
    let reader = Reader::new(disks.log);
    let store = Store::open_on(disks.database, &reader.genesis()?, options)?;
    check_both(&reader, &store)
}

fn check_both(reader: &Reader, store: &Store) -> Result<CheckReport, ReplayError> {
    let mut rules = Rules::new(reader.genesis()?)?;
    let snapshot = store.snapshot();
    let judge = Judge::new(rules.genesis());
    let (mut entries, mut records) = (0, 0);
    for entry in reader.entries()? {
        entries += 1;
        records += u64::from(entry?.kind == Kind::Record);
    }
    let mut parent = rules.first_parent();
    let (mut blocks, mut stored_blocks) = (0, 0);
    for logged in reader.blocks_above(Height::ZERO, &[])? {
        let mut logged = logged?;
        let certificate = logged.certificate.take();
        let checked = judge.check(logged.records).into_iter().map(Arc::new).collect();
        let block = Block { hash: logged.header.hash(), header: logged.header, records: checked };
        let height = block.header.height;
        let verdict = rules.validate(&parent, &block, Timestamp(u64::MAX), |covered| {
            // A header may commit to more than the database has, and follow from a state that is kept no more; replay is
            // what checks that.
            let named = || block.header.next_epoch.as_ref().map(|record| record.validators.clone().into());
            if covered > snapshot.height() {
                return Some(Results { height: covered, root: block.header.results, validators: named() });
            }
            let pruned =
                || Some(Results { height: covered, root: snapshot.results_root(covered).ok()?, validators: named() });
            if snapshot.retained().contains(&covered) { snapshot.covered(covered).ok() } else { pruned() }
        });
        match verdict {
            Verdict::Accept => {}
            Verdict::Reject(rejection) => return Err(FollowError::Diverged { height, rejection }.into()),
            Verdict::Wait(_) => return Err(FollowError::TooEarly { height }.into()),
        }
        if let Some(certificate) = certificate {
            check_certificate(&block, &certificate, &rules)?;
        }
        blocks += 1;
        if height <= snapshot.height() {
            compare(&snapshot, &block)?;
            stored_blocks += 1;
        }
        parent = Parent::of(block.hash, &block.header);
        rules.pass(&block.header);
    }
    if blocks < snapshot.height().0 {
        let (log, executed) = (Height(blocks), snapshot.height());
        return Err(LogError::Shorter { log, executed }.into());
    }
    Ok(CheckReport { entries, blocks, records, stored_blocks, store: store.check()? })
}

/// Holds a stored block against the log's, and its outcome against its result.
fn compare(snapshot: &Snapshot, block: &Block) -> Result<(), ReplayError> {
    let height = block.header.height;
    let stored = snapshot.block(height)?.ok_or(StoreError::NoBlock(height))?;
    let result = snapshot.result(height)?.ok_or(StoreError::NoBlock(height))?;
    let same_records = stored.records.iter().eq(block.records.iter().map(|record| &record.entered));
    if stored.sealed.hash != block.hash || result.header_hash != block.hash || !same_records {
        return Err(FollowError::OtherHistory { height }.into());
    }
    if receipts_root(&stored.receipts) != result.receipts_root {
        return Err(ReplayError::Differs { height, part: ResultPart::Receipts });
    }
    if events_root(&stored.events) != result.events_root {
        return Err(ReplayError::Differs { height, part: ResultPart::Events });
    }
    Ok(())
}
