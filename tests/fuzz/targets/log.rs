//! Logs as a disk, or whoever has it, may leave them: entries that anything was written into, damaged anywhere. Opening
//! one recovers or says what is damaged, what was recovered is recovered again, and a log that only lost bytes holds
//! what was appended, up to some entry.
#![no_main]

use std::sync::Arc;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use rustorium_chain::{
    log::{Disk, Kind, LanePosition, Log, LogError, LogOptions, Reader},
    machine::Machine,
    storage::Durability,
};
use rustorium_types::{
    block::{self, Header, LaneCut},
    id::{Amount, Epoch, Hash, Height, Timestamp},
};

const CHAIN: Hash = Hash([7; 32]);
const OPTIONS: LogOptions = LogOptions { durability: Durability::Fsync, segment_bytes: 4096 };

#[derive(Arbitrary, Debug)]
enum Step<'a> {
    Record(&'a [u8]),
    /// A record of a lane, at an index.
    Lane { lane: u8, index: u8, body: &'a [u8] },
    /// So many of the same, to fill segments.
    Records(u8, u16),
    Header {
        height: u8,
        lane_end: u8,
    },
    Certificate(u8),
    Any(u8, &'a [u8]),
    Sync,
    Flush,
}

#[derive(Arbitrary, Debug)]
enum Damage<'a> {
    Zeros {
        file: u8,
        at: u16,
        length: u16,
    },
    Short {
        file: u8,
        at: u16,
    },
    Bytes {
        file: u8,
        at: u16,
        bytes: &'a [u8],
    },
    /// A file's head with other counts, and the checksum that they need.
    Counts {
        file: u8,
        entries: u64,
        records: u64,
        headers: u64,
    },
}

impl Damage<'_> {
    /// True where bytes are lost and none invented.
    const fn is_loss(&self) -> bool {
        matches!(self, Self::Zeros { .. } | Self::Short { .. })
    }

    fn befall(&self, disk: &dyn Disk) {
        let mut names = disk.names().expect("in memory");
        names.sort_unstable();
        let open = |file: u8| disk.open(&names[usize::from(file) % names.len()]).expect("it is there");
        match *self {
            Self::Zeros { file, at, length } => {
                let end = (usize::from(at) + usize::from(length)).min(OPTIONS.segment_bytes);
                let length = end.saturating_sub(at.into());
                open(file).write(at.into(), &vec![0; length]).expect("in memory");
            }
            Self::Short { file, at } => open(file).truncate(at.into()).expect("in memory"),
            Self::Bytes { file, at, bytes } => open(file).write(at.into(), bytes).expect("in memory"),
            Self::Counts { file, entries, records, headers } => {
                let file = open(file);
                let mut head = file.read(0, 92).expect("in memory");
                if head.len() == 92 {
                    let counts = [entries, records, headers].map(u64::to_le_bytes).concat();
                    head[40..64].copy_from_slice(&counts);
                    let checksum = crc32c::crc32c(&head[..88]);
                    head[88..].copy_from_slice(&checksum.to_le_bytes());
                    file.write(0, &head).expect("in memory");
                }
            }
        }
    }
}

fn header(height: u8, lane_end: u8) -> Vec<u8> {
    let header = Header {
        version: block::VERSION,
        chain: CHAIN,
        epoch: Epoch(0),
        height: Height(height.into()),
        parent: CHAIN,
        time: Timestamp(1),
        gas_price: Amount(1),
        lanes: vec![LaneCut { lane: 0, generation: 0, end: lane_end.into(), root: CHAIN }],
        batch_root: CHAIN,
        next_epoch: None,
        state_height: Height(0),
        results: CHAIN,
    };
    borsh::to_vec(&header).expect("encodes")
}

/// Appends what the steps say; answers what was appended.
fn write(log: &mut Log, steps: &[Step<'_>]) -> Vec<(Kind, Vec<u8>)> {
    let mut appended = vec![(Kind::Genesis, b"genesis".to_vec())];
    for step in steps.iter().take(64) {
        let entries = match *step {
            Step::Record(body) => vec![(Kind::Record, body.to_vec())],
            Step::Lane { lane, index, body } => {
                let label = [&u32::from(lane % 4).to_le_bytes()[..], &[0; 4], &u64::from(index).to_le_bytes()].concat();
                vec![(Kind::Record, [&label, body].concat())]
            }
            Step::Records(count, length) => vec![(Kind::Record, vec![1; usize::from(length % 2048)]); count.into()],
            Step::Header { height, lane_end } => vec![(Kind::Header, header(height, lane_end))],
            Step::Certificate(height) => {
                vec![(Kind::Certificate, [&u64::from(height).to_le_bytes(), &b"certificate"[..]].concat())]
            }
            Step::Any(kind, body) => {
                let kinds = [Kind::Genesis, Kind::Record, Kind::Header, Kind::Certificate];
                vec![(kinds[usize::from(kind) % 4], body.to_vec())]
            }
            Step::Sync => {
                log.sync().expect("in memory");
                continue;
            }
            Step::Flush => {
                log.flush().expect("in memory");
                continue;
            }
        };
        for (kind, body) in entries {
            match log.append(kind, &body) {
                Ok(()) => appended.push((kind, body)),
                Err(LogError::EntrySize(_)) => {}
                Err(other) => panic!("{other}"),
            }
        }
    }
    log.flush().expect("in memory");
    appended
}

fn open(disk: &Machine) -> Result<(Log, rustorium_chain::log::Recovered), LogError> {
    Log::open(disk.log(), b"genesis", CHAIN, Height::ZERO, OPTIONS)
}

fuzz_target!(|input: (Vec<Step<'_>>, Vec<Damage<'_>>)| {
    let (steps, damage) = input;
    let disk = Machine::new(0);
    let (mut log, _) = open(&disk).expect("a new log");
    let appended = write(&mut log, &steps);
    drop(log);
    let files: Arc<dyn Disk> = disk.log();
    damage.iter().take(8).for_each(|damage| damage.befall(&*files));

    let opened = open(&disk);
    let reader = Reader::new(disk.log());
    _ = reader.genesis();
    if let Ok(blocks) = reader.blocks_above(Height::ZERO, &[]) {
        blocks.for_each(|block| _ = block);
    }
    _ = reader.record(LanePosition { index: 1, ..LanePosition::default() });
    let Ok((mut log, recovered)) = opened else { return };
    if damage.iter().all(Damage::is_loss)
        && let Ok(entries) = reader.entries()
    {
        for (entry, (kind, body)) in entries.map_while(Result::ok).zip(&appended) {
            assert_eq!((entry.kind, &entry.body[..]), (*kind, &body[..]));
        }
    }
    log.append(Kind::Record, b"it goes on").expect("in memory");
    log.sync().expect("in memory");
    let position = log.position();
    assert_eq!(position.entries, recovered.position.entries + 1);
    drop(log);
    let (_, again) = open(&disk).expect("what was recovered is sound");
    assert_eq!((again.position, again.cut), (position, None));
});
