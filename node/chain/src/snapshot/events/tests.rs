//! Random queries over random blocks, against a scan of all events.
#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use rustorium_runtime::Writes;
use rustorium_types::id::AccountId;

use super::*;
use crate::storage::{
    Store,
    testing::{Content, block, contract, genesis, moved, options, transaction_hash},
};

/// Contracts 1 and 2 have an ABI, 3 has none.
const CONTRACTS: [ContractId; 3] = [ContractId([1; 32]), ContractId([2; 32]), ContractId([3; 32])];

/// (contract, kind of event, from, to)
type Said = (usize, u8, u8, u8);

fn event((of, kind, from, to): &Said) -> (ContractId, String, Vec<u8>) {
    let (name, fields) = match kind {
        0 | 1 => ("Moved", moved(*from, *to)),
        // Of a name that the ABI knows, and not its fields.
        2 => ("Moved", vec![*from]),
        _ => ("Else", vec![*to]),
    };
    (CONTRACTS[*of], name.into(), fields)
}

fn any_said() -> impl Strategy<Value = Said> {
    (0..3_usize, 0..4_u8, 0..3_u8, 0..3_u8)
}

/// Blocks of transactions of events, and whether a commit follows.
fn any_blocks() -> impl Strategy<Value = Vec<(Vec<Vec<Said>>, bool)>> {
    let block = proptest::collection::vec(proptest::collection::vec(any_said(), 0..4), 0..4);
    proptest::collection::vec((block, any::<bool>()), 1..8)
}

fn any_query() -> impl Strategy<Value = EventQuery> {
    let place = proptest::option::of((0..9_u64, 0..5_u32, 0..5_u32)).prop_map(|place| {
        place.map(|(height, transaction, event)| EventPosition { height: Height(height), transaction, event })
    });
    let field = (prop_oneof![Just("from"), Just("to")], 0..3_u8).prop_map(|(name, value)| (name.into(), vec![value]));
    (
        proptest::option::of(0..3_usize),
        proptest::option::of(prop_oneof![Just("Moved".to_owned()), Just("Else".to_owned())]),
        proptest::collection::vec(field, 0..3),
        proptest::option::weighted(0.2, (0..9_u64, 0..4_u32)),
        (0..9_u64, 0..12_u64),
        (place.clone(), place),
        1..20_usize,
        any::<bool>(),
    )
        .prop_map(|(of, name, fields, transaction, (from, to), (after, before), limit, reverse)| EventQuery {
            contract: of.map(|of| CONTRACTS[of]),
            name,
            fields,
            transaction: transaction.map(|(height, index)| transaction_hash(Height(height), index)),
            heights: Height(from)..=Height(to),
            after,
            before,
            limit,
            reverse,
        })
}

fn matches(query: &EventQuery, found: &FoundEvent) -> bool {
    let event = &found.event;
    let is_indexed = event.contract != CONTRACTS[2] && event.name == "Moved" && event.fields.len() > 1;
    let has = |(field, value): &(String, Vec<u8>)| {
        let at = if field == "from" { 0 } else { event.fields.len() - 1 };
        is_indexed && value == &event.fields[at..=at]
    };
    query.contract.is_none_or(|contract| contract == event.contract)
        && query.name.as_ref().is_none_or(|name| *name == event.name)
        && query.fields.iter().all(has)
        && query.transaction.is_none_or(|hash| hash == found.transaction)
        && query.heights.contains(&found.position.height)
        && query.after.is_none_or(|after| found.position > after)
        && query.before.is_none_or(|before| found.position < before)
}

fn all(snapshot: &Snapshot) -> Vec<FoundEvent> {
    let mut found = Vec::new();
    for height in 1..=snapshot.height().0 {
        let block = snapshot.block(Height(height)).unwrap().unwrap();
        found.extend(block.events.iter().map(|event| FoundEvent {
            position: position(Height(height), (event.transaction_index, event.event_index)),
            transaction: block.receipts[event.transaction_index as usize].transaction,
            event: event.clone(),
        }));
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn queries_find_what_a_scan_finds(blocks in any_blocks(), queries in proptest::collection::vec(any_query(), 24)) {
        let store = Store::in_memory(&genesis(), &options(8)).unwrap();
        let mut writes: Writes = contract(CONTRACTS[0]);
        writes.extend(contract(CONTRACTS[1]));
        store.apply(block(&store.snapshot(), &Content { writes, transactions: Vec::new() })).unwrap();
        for (transactions, commits) in &blocks {
            let said = |events: &Vec<Said>| (AccountId::default(), events.iter().map(event).collect());
            let transactions = transactions.iter().map(said).collect();
            store.apply(block(&store.snapshot(), &Content { writes: Writes::new(), transactions })).unwrap();
            if *commits {
                store.commit().unwrap();
            }
        }
        let snapshot = store.snapshot();
        let events = all(&snapshot);
        for query in &queries {
            if !query.fields.is_empty() && (query.contract.is_none() || query.name.is_none()) {
                prop_assert!(matches!(snapshot.events(query), Err(StoreError::FieldQuery)));
                continue;
            }
            let mut expected: Vec<_> = events.iter().filter(|event| matches(query, event)).cloned().collect();
            if query.reverse {
                expected.reverse();
            }
            expected.truncate(query.limit);
            prop_assert_eq!(snapshot.events(query).unwrap(), expected, "{:?}", query);
        }
        // Page by page from either end, each event once.
        for reverse in [false, true] {
            let mut paged = Vec::new();
            let mut query = EventQuery { reverse, ..EventQuery::all(3) };
            loop {
                let page = snapshot.events(&query).unwrap();
                let Some(last) = page.last() else { break };
                if reverse { query.before = Some(last.position) } else { query.after = Some(last.position) }
                paged.extend(page);
            }
            if reverse {
                paged.reverse();
            }
            prop_assert_eq!(&paged, &events);
        }
    }
}
