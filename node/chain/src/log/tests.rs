//! What a log keeps through power losses, and what it says of damage.
#![expect(clippy::unwrap_used, reason = "tests")]

use rustorium_types::block::LaneCut;

use super::*;
use crate::machine::{Chance, Failure, Folder, Machine};

const SEGMENT: usize = 4096;
const OPTIONS: LogOptions = LogOptions { durability: Durability::Fsync, segment_bytes: SEGMENT };
const CHAIN: Hash = Hash([9; 32]);

fn open(disk: &Machine) -> Result<(Log, Recovered), LogError> {
    Log::open(disk.log(), b"genesis", CHAIN, Height::ZERO, OPTIONS)
}

fn records(disk: &Machine) -> Vec<Bytes> {
    let entries = Reader::new(disk.log()).entries().unwrap();
    entries.map(Result::unwrap).filter(|entry| entry.kind == Kind::Record).map(|entry| entry.body).collect()
}

fn body(index: u64) -> Vec<u8> {
    let mut body = index.to_le_bytes().to_vec();
    body.resize(8 + (index as usize * 37) % 300, index as u8);
    body
}

fn at(index: u64) -> LanePosition {
    LanePosition { lane: 3, generation: 1, index }
}

#[test]
fn entries_are_read_back_over_many_segments_and_openings() {
    let disk = Machine::new(0);
    for round in 0..10 {
        let (mut log, recovered) = open(&disk).unwrap();
        assert_eq!(recovered.position.records, round * 20);
        assert_eq!(recovered.cut, None);
        for index in round * 20..(round + 1) * 20 {
            log.append(Kind::Record, &record_entry(at(index), &body(index))).unwrap();
        }
        log.sync().unwrap();
        assert_eq!(log.progress().records(), (round + 1) * 20);
    }
    assert!(disk.log().names().unwrap().len() > 5);
    let entries: Vec<_> = (0..200).map(|index| record_entry(at(index), &body(index))).collect();
    assert_eq!(records(&disk), entries);
    let reader = Reader::new(disk.log());
    for index in 0..200 {
        assert_eq!(reader.record(at(index)).unwrap().unwrap(), body(index), "record {index}");
    }
    assert_eq!(reader.record(at(200)).unwrap(), None);
    assert_eq!(reader.record(LanePosition { lane: 2, ..at(1) }).unwrap(), None);
}

#[test]
fn a_directory_keeps_a_log() {
    let directory = tempfile::tempdir().unwrap();
    let disk = || Arc::new(Directory::open(directory.path()).unwrap());
    let (mut log, _) = Log::open(disk(), b"genesis", CHAIN, Height::ZERO, LogOptions::default()).unwrap();
    log.append(Kind::Record, &record_entry(at(0), b"one")).unwrap();
    log.sync().unwrap();
    // Only in the system's memory: the process may die, the machine may not.
    log.append(Kind::Record, &record_entry(at(1), &[2; 9_000])).unwrap();
    log.flush().unwrap();
    log.append(Kind::Record, b"never flushed").unwrap();
    drop(log);
    let (log, recovered) = Log::open(disk(), b"genesis", CHAIN, Height::ZERO, LogOptions::default()).unwrap();
    assert_eq!((recovered.position.records, recovered.cut), (2, None));
    assert_eq!(log.position().entries, 3);
    assert_eq!(Reader::new(disk()).record(at(0)).unwrap().unwrap(), b"one"[..]);
    assert_eq!(Reader::new(disk()).record(at(1)).unwrap().unwrap(), vec![2; 9_000]);
}

/// Writes three durable records and a fourth that is only written; answers where the fourth lies.
fn with_an_unacknowledged_tail(disk: &Machine) -> (usize, usize) {
    let (mut log, _) = open(disk).unwrap();
    for index in 1..4 {
        log.append(Kind::Record, &body(index)).unwrap();
    }
    log.sync().unwrap();
    let start = log.end();
    log.append(Kind::Record, &body(4)).unwrap();
    log.flush().unwrap();
    (start, start + frame::FRAME_HEADER + body(4).len())
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_and_the_log_goes_on() {
    let whole = Machine::new(0);
    let (start, end) = with_an_unacknowledged_tail(&whole);
    let name = segment::name(1);
    for at in start..end {
        for torn in [Torn::Zeros, Torn::Flip, Torn::Short] {
            let disk = whole.fork();
            let file = disk.log().open(&name).unwrap();
            match torn {
                Torn::Zeros => file.write(at as u64, &vec![0; end - at]).unwrap(),
                Torn::Short => file.truncate(at as u64).unwrap(),
                Torn::Flip => file.write(at as u64, &[!file.read(at as u64, 1).unwrap()[0]]).unwrap(),
            }
            let (mut log, recovered) = open(&disk).unwrap();
            assert_eq!(recovered.position.records, 3, "{torn:?} at {at}");
            let gone = torn != Torn::Flip && at == start;
            assert_eq!(recovered.cut, (!gone).then(|| (name.clone(), start as u64)), "{torn:?} at {at}");
            log.append(Kind::Record, &body(5)).unwrap();
            log.sync().unwrap();
            drop(log);
            assert_eq!(open(&disk).unwrap().1.position.records, 4);
            assert_eq!(records(&disk), [1, 2, 3, 5].map(body));
        }
    }
}

/// A file that ended in the zeros which fill up its last entry: opening it looked behind the file's end.
#[test]
fn a_file_cut_in_the_padding_of_its_last_entry_lacks_nothing() {
    let whole = Machine::new(0);
    let (_, end) = with_an_unacknowledged_tail(&whole);
    let next = end.next_multiple_of(frame::ALIGNMENT);
    assert!(end < next, "an entry that needs filling up");
    for at in end..next {
        let disk = whole.fork();
        disk.log().open(&segment::name(1)).unwrap().truncate(at as u64).unwrap();
        let (mut log, recovered) = open(&disk).unwrap();
        assert_eq!((recovered.position.records, recovered.cut), (4, None), "cut at {at}");
        log.append(Kind::Record, &body(5)).unwrap();
        log.sync().unwrap();
        drop(log);
        assert_eq!(open(&disk).unwrap().1.position.records, 5);
        assert_eq!(records(&disk), [1, 2, 3, 4, 5].map(body));
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Torn {
    /// Nothing from there on was written.
    Zeros,
    /// The file ends there.
    Short,
    /// One byte is another.
    Flip,
}

#[test]
fn a_changed_byte_of_anything_acknowledged_is_damage_at_its_place() {
    let whole = Machine::new(0);
    with_an_unacknowledged_tail(&whole);
    let name = segment::name(1);
    let segment = Reader::new(whole.log()).segment(1).unwrap();
    for frame in &segment.frames[..segment.frames.len() - 1] {
        let start = frame.body.start - frame::FRAME_HEADER;
        for at in start..frame.body.end {
            let disk = whole.fork();
            let file = disk.log().open(&name).unwrap();
            file.write(at as u64, &[segment.bytes[at] ^ 0x10]).unwrap();
            match open(&disk) {
                Err(LogError::Damaged { file, offset, damage: Damage::Frame }) => {
                    assert_eq!((file, offset), (name.clone(), start as u64), "byte {at}");
                }
                Err(other) => unreachable!("byte {at}: {other}"),
                Ok(_) => unreachable!("byte {at} was not noticed"),
            }
        }
    }
}

#[test]
fn damage_in_an_older_segment_is_found_by_reading() {
    let disk = Machine::new(0);
    let (mut log, _) = open(&disk).unwrap();
    for index in 0..100 {
        log.append(Kind::Record, &body(index)).unwrap();
    }
    log.sync().unwrap();
    let file = disk.log().open(&segment::name(2)).unwrap();
    file.write(2000, &[0xee; 40]).unwrap();
    let reader = Reader::new(disk.log());
    let error = reader.entries().unwrap().find_map(Result::err);
    assert!(matches!(error, Some(LogError::Damaged { file, damage: Damage::Frame, .. }) if file == segment::name(2)));
}

#[test]
fn what_a_record_supersedes_is_gone_for_those_too_who_pass_its_block_over() {
    let disk = Machine::new(0);
    let (mut log, _) = open(&disk).unwrap();
    // The last one is there again: a final block had another. It takes two.
    for (index, text) in [(0, "a"), (1, "b"), (2, "c"), (1, "other")] {
        log.append(Kind::Record, &record_entry(at(index), text.as_bytes())).unwrap();
    }
    let cuts = [LaneCut { lane: 3, generation: 1, end: 2, root: Hash([0; 32]) }];
    log.append(Kind::Record, &record_entry(at(2), b"next")).unwrap();
    log.sync().unwrap();
    let rest = |cuts: &[LaneCut]| {
        let mut blocks = Reader::new(disk.log()).blocks_above(Height::ZERO, cuts).unwrap();
        assert!(blocks.next().is_none());
        blocks.into_rest().into_iter().map(|logged| (logged.position.index, logged.record)).collect::<Vec<_>>()
    };
    assert_eq!(rest(&cuts), [(2, Bytes::from_static(b"next"))]);
    assert_eq!(rest(&[]).len(), 3);
}

#[test]
fn another_chains_log_and_a_missing_file_are_refused() {
    let disk = Machine::new(0);
    let (mut log, _) = open(&disk).unwrap();
    for index in 0..100 {
        log.append(Kind::Record, &body(index)).unwrap();
    }
    log.sync().unwrap();
    let other = Log::open(disk.log(), b"other", Hash([8; 32]), Height::ZERO, OPTIONS).map(|_| ());
    assert!(matches!(other, Err(LogError::OtherChain { found: CHAIN, .. })));
    let holed = Machine::new(0);
    for name in disk.log().names().unwrap().iter().filter(|name| segment::number(name) != Some(2)) {
        let bytes = disk.log().open(name).unwrap().read(0, SEGMENT).unwrap();
        holed.log().create(name).unwrap().write(0, &bytes).unwrap();
    }
    assert!(matches!(open(&holed).map(|_| ()), Err(LogError::Missing(name)) if name == segment::name(2)));
}

#[test]
fn a_stale_segment_that_does_not_continue_is_refused() {
    let (disk, other) = (Machine::new(0), Machine::new(0));
    for (disk, first) in [(&disk, 0), (&other, 1000)] {
        let (mut log, _) = open(disk).unwrap();
        for index in first..first + 100 {
            log.append(Kind::Record, &body(index)).unwrap();
        }
        log.sync().unwrap();
    }
    let foreign = other.log().open(&segment::name(3)).unwrap().read(0, SEGMENT).unwrap();
    disk.log().open(&segment::name(3)).unwrap().write(0, &foreign).unwrap();
    let entries = Reader::new(disk.log()).entries().unwrap();
    assert!(entries.map(|entry| entry.map(|_| ())).any(|entry| matches!(entry, Err(LogError::Damaged { .. }))));
}

/// A first file whose head was changed along with its checksum: looking for a record went on below zero.
#[test]
fn a_first_file_that_counts_on_from_others_is_broken() {
    let disk = Machine::new(0);
    drop(open(&disk).unwrap());
    let before = LogPosition { entries: 9, records: 5, headers: 2 };
    let start = SegmentStart { before, ..SegmentStart::first(CHAIN) };
    disk.log().open(&segment::name(1)).unwrap().write(0, &start.encode()).unwrap();
    let is_broken = |error: LogError| matches!(error, LogError::Damaged { offset: 0, damage: Damage::Start, .. });
    assert!(is_broken(Reader::new(disk.log()).record(at(1)).unwrap_err()));
    assert!(open(&disk).is_err_and(is_broken));
}

/// A node lost its power when the first file of its log was made and the genesis in it was not durable yet. The next
/// process went on without one: a log that could not be executed by itself any more.
#[test]
fn a_log_whose_beginning_was_lost_begins_again() {
    for operations in 0..8 {
        let disk = Machine::new(operations);
        disk.plan(Folder::Log, operations, Failure::Power);
        drop(open(&disk));
        disk.lose_power();
        let (mut log, _) = open(&disk).unwrap();
        log.append(Kind::Record, &body(1)).unwrap();
        log.sync().unwrap();
        let entries = Reader::new(disk.log()).entries().unwrap();
        let kinds: Vec<_> = entries.map(|entry| entry.unwrap().kind).collect();
        assert_eq!(kinds, [Kind::Genesis, Kind::Record], "power lost at operation {operations}");
    }
}

#[test]
fn entries_of_impossible_size_are_refused() {
    let (mut log, _) = open(&Machine::new(0)).unwrap();
    assert!(matches!(log.append(Kind::Record, b""), Err(LogError::EntrySize(0))));
    assert!(matches!(log.append(Kind::Record, &[0; SEGMENT]), Err(LogError::EntrySize(SEGMENT))));
}

/// What was acknowledged survives any power loss; what was not survives as a prefix or not at all.
#[test]
fn power_losses_lose_nothing_that_was_acknowledged() {
    for seed in 1..=200 {
        let mut chance = Chance::new(seed);
        let disk = Machine::new(seed);
        let mut kept: Vec<Vec<u8>> = Vec::new();
        let mut next = 0;
        for _ in 0..6 {
            let (mut log, recovered) = open(&disk).unwrap_or_else(|error| unreachable!("seed {seed}: {error}"));
            assert_eq!(records(&disk), kept, "seed {seed}");
            assert_eq!(recovered.position.records as usize, kept.len(), "seed {seed}");
            let mut acknowledged = kept.len();
            for _ in 0..chance.below(40) {
                log.append(Kind::Record, &body(next)).unwrap();
                kept.push(body(next));
                next += 1;
                match chance.below(4) {
                    0 => {
                        log.sync().unwrap();
                        acknowledged = kept.len();
                    }
                    1 => log.flush().unwrap(),
                    _ => {}
                }
            }
            drop(log);
            disk.lose_power();
            // Opening repairs; what it leaves must be a prefix that holds everything acknowledged.
            drop(open(&disk).unwrap_or_else(|error| unreachable!("seed {seed}: {error}")));
            let left = records(&disk);
            assert!(left.len() >= acknowledged, "seed {seed}: {} of {acknowledged}", left.len());
            assert_eq!(left, kept[..left.len()], "seed {seed}");
            kept.truncate(left.len());
        }
    }
}

/// Logs on disks have these bytes: whoever changes them gives the format another version.
#[test]
fn the_format_is_frozen() {
    let disk = Machine::new(0);
    let (mut log, _) = open(&disk).unwrap();
    log.append(Kind::Record, &record_entry(at(7), b"a record")).unwrap();
    log.sync().unwrap();
    log.append(Kind::Header, b"a header").unwrap();
    log.sync().unwrap();
    log.append(Kind::Certificate, &certificate_entry(Height(1), b"a certificate")).unwrap();
    log.sync().unwrap();
    let bytes = disk.log().open(&segment::name(1)).unwrap().read(0, SEGMENT).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    assert_eq!(used, 96 + 40 + 56 + 40 + 32 + 21);
    assert_eq!(
        blake3::hash(&bytes[..used]).to_hex().as_str(),
        "407bee6a090822ffd8df2e80e521be9d40e6a68173827547ba6ce08cee1d4c7e"
    );
}
