//! Storage fields: their layouts byte by byte, and what their methods promise.

use proptest::prelude::*;
use rustorium_sdk::{Outcome, prelude::*};

#[abi]
#[derive(Default)]
struct Note {
    text: String,
}

#[abi]
struct Seal {
    by: u8,
}

#[storage]
struct Shelf {
    total: Item<u64>,
    owner: Item<Address>,
    names: Map<String, i16>,
    pairs: Map<(Address, Address), u128>,
    notes: Map<u8, Note>,
    seals: EnumMap<u8, Seal>,
    log: List<u16>,
    balances: EnumMap<u16, u64>,
}

#[contract]
impl Shelf {
    #[view]
    fn total(&self) -> u64 {
        self.total.get()
    }
}

fn shelf() -> (Mock, Address, Deployed<Shelf>) {
    let mut chain = Mock::new();
    let alice = chain.account("alice");
    let shelf = chain.deploy::<Shelf>(alice, |_, _| ());
    (chain, alice, shelf)
}

/// Runs a change, and answers what is stored after it.
fn entries(change: impl FnOnce(&mut Shelf)) -> Vec<(Vec<u8>, Vec<u8>)> {
    let (mut chain, alice, shelf) = shelf();
    chain.call(alice, shelf, |shelf, _| change(shelf));
    chain.entries(shelf).into_iter().collect()
}

fn entry(field: &str, key: &[u8], value: &[u8]) -> (Vec<u8>, Vec<u8>) {
    ([&[field.len() as u8][..], field.as_bytes(), key].concat(), value.to_vec())
}

fn trap<R: Outcome + std::fmt::Debug>(body: impl FnOnce(&mut Shelf) -> R) -> String {
    let (mut chain, alice, shelf) = shelf();
    chain.try_call(alice, shelf, |shelf, _| body(shelf)).unwrap_err().message
}

#[test]
fn layouts() {
    assert_eq!(entries(|shelf| shelf.total.set(5)), [entry("total", &[], &[5, 0, 0, 0, 0, 0, 0, 0])]);
    assert_eq!(entries(|shelf| shelf.names.set("a\0b", -2)), [entry("names", b"a\0\xffb\0\0", &[0xfe, 0xff])]);
    let list = entries(|shelf| {
        shelf.log.push(7);
        shelf.log.push(8);
    });
    let expected =
        [entry("log", &[], &[2, 0, 0, 0]), entry("log", &[0, 0, 0, 0], &[7, 0]), entry("log", &[0, 0, 0, 1], &[8, 0])];
    assert_eq!(list, expected);
    let map = entries(|shelf| {
        shelf.balances.set(0x0102, 5);
        shelf.balances.set(0x0304, 6);
    });
    let expected = [
        entry("balances", b"k\0\0\0\0", &[2, 1]),
        entry("balances", b"k\0\0\0\x01", &[4, 3]),
        entry("balances", b"n", &[2, 0, 0, 0]),
        entry("balances", b"v\x01\x02", &[0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]),
        entry("balances", b"v\x03\x04", &[1, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0]),
    ];
    assert_eq!(map, expected);
}

#[test]
fn what_was_never_written() {
    let (chain, alice, shelf) = shelf();
    chain.view(shelf, |shelf, _| {
        assert_eq!(shelf.total.get(), 0);
        assert_eq!((shelf.total.try_get(), shelf.total.get_or(3), shelf.total.is_set()), (None, 3, false));
        assert_eq!((shelf.owner.try_get(), shelf.owner.get_or(alice)), (None, alice));
        assert_eq!((shelf.names.get("x"), shelf.pairs.get((alice, alice))), (0, 0));
        assert_eq!(shelf.notes.get(1), Note::default(), "a struct with a default has that");
        assert_eq!((shelf.log.try_get(0), shelf.log.len(), shelf.balances.len()), (None, 0, 0));
        assert_eq!((shelf.seals.try_get(1), shelf.seals.contains(1)), (None, false));
    });
    assert!(trap(|shelf| shelf.owner.get()).contains("`owner`: read before it is set"));
    assert!(trap(|shelf| shelf.seals.get(1)).contains("`seals`: read before it is set"));
    assert!(trap(|shelf| shelf.log.get(0)).contains("`log`: position beyond the end"));
    assert!(trap(|shelf| shelf.log.set(0, 1)).contains("`log`: position beyond the end"));
}

#[test]
fn a_type_without_a_default_can_be_set() {
    let (mut chain, alice, shelf) = shelf();
    chain.call(alice, shelf, |shelf, _| shelf.seals.set(1, Seal { by: 9 }));
    assert_eq!(chain.view(shelf, |shelf, _| shelf.seals.get(1)), Seal { by: 9 });
}

#[test]
fn arithmetic_fails_by_field_name() {
    assert!(trap(|shelf| shelf.total.sub(1)).contains("storage field `total`: overflow in subtraction"));
    let names = trap(|shelf| {
        shelf.names.add("x", i16::MAX);
        shelf.names.add("x", 1)
    });
    assert!(names.contains("storage field `names`: overflow in addition"));
    assert!(trap(|shelf| shelf.balances.sub(1, 1)).contains("storage field `balances`"));
}

#[test]
fn changes_answer_the_new_value() {
    let (mut chain, alice, shelf) = shelf();
    chain.call(alice, shelf, |shelf, _| {
        assert_eq!((shelf.total.add(5), shelf.total.sub(2), shelf.total.update(|total| total * 7)), (5, 3, 21));
        assert_eq!(shelf.names.try_update("x", |value| Err::<i16, _>(value + 1)), Err(1));
        assert!(!shelf.names.contains("x"), "a change that fails changes nothing");
        assert_eq!(shelf.balances.try_update(3, Err::<u64, _>), Err(0));
        assert_eq!((shelf.balances.contains(3), shelf.balances.len()), (false, 0));
        assert_eq!((shelf.balances.add(3, 4), shelf.balances.update(3, |value| value * 2)), (4, 8));
    });
}

#[test]
fn lists_end_where_they_should() {
    let (mut chain, alice, shelf) = shelf();
    chain.call(alice, shelf, |shelf, _| {
        assert_eq!([shelf.log.push(1), shelf.log.push(2), shelf.log.push(3)], [0, 1, 2]);
        shelf.log.set(1, 20);
        assert_eq!(shelf.log.iter().collect::<Vec<_>>(), [1, 20, 3]);
        assert_eq!((shelf.log.pop(), shelf.log.pop(), shelf.log.len()), (Some(3), Some(20), 1));
        assert_eq!((shelf.log.pop(), shelf.log.pop(), shelf.log.is_empty()), (Some(1), None, true));
    });
    assert_eq!(chain.entries(shelf).len(), 1, "the length alone is left");
}

#[test]
fn pages_cover_everything_once() {
    let (mut chain, alice, shelf) = shelf();
    chain.call(alice, shelf, |shelf, _| (0..7).for_each(|value| assert_eq!(shelf.log.push(value), u32::from(value))));
    let mut request = PageRequest::first(3);
    let mut items = Vec::new();
    loop {
        let page = chain.view(shelf, |shelf, _| shelf.log.page(request));
        assert_eq!(page.total, 7);
        items.extend(page.items);
        let Some(next) = page.next else { break };
        request.start = next;
    }
    assert_eq!(items, (0..7).collect::<Vec<_>>());
    let beyond = chain.view(shelf, |shelf, _| shelf.log.page(PageRequest { start: 9, limit: u32::MAX }));
    assert_eq!(beyond, Page { items: vec![], next: None, total: 7 });
    let none = chain.view(shelf, |shelf, _| shelf.log.page(PageRequest { start: 0, limit: 0 }));
    assert_eq!((none.items.len(), none.next), (1, Some(1)), "a page moves on");
}

#[derive(Clone, Debug)]
enum Step {
    Set(u16, u64),
    Remove(u16),
}

proptest! {
    #[test]
    fn enum_map_is_a_map(steps in prop::collection::vec(
        prop_oneof![(0..6u16, any::<u64>()).prop_map(|(key, value)| Step::Set(key, value)), (0..6u16).prop_map(Step::Remove)],
        0..40,
    )) {
        let (mut chain, alice, shelf) = shelf();
        let mut model = BTreeMap::new();
        for step in steps {
            chain.call(alice, shelf, |shelf, _| match step {
                Step::Set(key, value) => {
                    shelf.balances.set(key, value);
                    model.insert(key, value);
                }
                Step::Remove(key) => assert_eq!(shelf.balances.remove(key), model.remove(&key)),
            });
            let (count, listed) = chain.view(shelf, |shelf, _| (shelf.balances.len(), shelf.balances.iter().collect::<BTreeMap<_, _>>()));
            prop_assert_eq!(count as usize, model.len());
            prop_assert_eq!(&listed, &model);
        }
        let left = if model.is_empty() { 1 } else { 1 + 2 * model.len() };
        prop_assert!(chain.entries(shelf).len() <= left, "removed keys leave nothing behind");
    }
}
