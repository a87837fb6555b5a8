//! What the compiler writes into the section is what readers parse.

use rustorium_sdk::{
    Contract as _, Event as _,
    abi::{AbiType, MethodKind, event_length, event_section},
    prelude::*,
};
use rustorium_types::abi::{Abi, Entry, Field as AbiField, Layout, Shape, Type, Variant};

/// Which way a door stands.
#[abi(key)]
#[derive(Copy, Default)]
enum Door {
    /// Nobody passes.
    #[default]
    Shut,
    /// So wide.
    Ajar {
        degrees: u8,
    },
    Off(bool, Option<u64>),
}

#[abi]
struct Room {
    /// What it is called.
    name: String,
    doors: Vec<Door>,
}

#[abi(key)]
#[derive(Copy)]
struct RoomId(u64);

#[abi]
struct Size(u32, u32);

#[abi]
struct Pair<T> {
    left: T,
    right: T,
}

type Everything = (bool, i8, i16, i32, i64, i128, U256, Field, Decimal, Bytes, [u8; 4], Hash);
type Rooms = BTreeMap<u8, Pair<Room>>;

/// Somebody came.
#[event]
struct Entered {
    /// Who.
    #[indexed]
    who: Address,
    room: RoomId,
    by: Door,
}

#[error]
enum HouseError {
    /// No way in.
    #[message("door {number} is {door}")]
    Closed {
        number: u8,
        door: Door,
    },
    Full(u32, Size),
    Empty,
}

#[error]
enum GardenError {
    Muddy,
}

/// A house.
///
/// With rooms.
#[storage]
#[expect(dead_code, reason = "the fields are described, not used")]
struct House {
    everything: Item<Everything>,
    /// Renamed once.
    #[stored_as = "chambers"]
    rooms: Map<RoomId, Room>,
    sizes: List<Size>,
    doors: EnumMap<(Door, String), Option<Timestamp>>,
}

mod elsewhere {
    use rustorium_sdk::prelude::*;

    #[event]
    pub(super) struct Rain {
        pub(super) litres: super::Size,
    }
}

#[contract(error = HouseError, events(elsewhere::Rain))]
impl House {
    /// Builds it.
    #[init(payable)]
    fn build(&mut self, _rooms: Rooms) {}

    /// Goes in.
    #[call(payable, reentrant)]
    fn r#enter(&mut self, ctx: &Ctx, room: RoomId, r#type: Door) -> Result<u16> {
        ensure!(room.0 > 0, HouseError::Closed { number: 0, door: r#type });
        ctx.emit(Entered { who: ctx.caller(), room, by: r#type });
        Ok(1)
    }

    #[view]
    fn doors(&self, page: PageRequest) -> Page<((Door, String), Option<Timestamp>)> {
        self.doors.page(page)
    }

    #[view]
    fn garden(&self) -> Result<(), GardenError> {
        Err(GardenError::Muddy)
    }

    #[receive]
    fn receive(&mut self) {}

    #[migrate]
    fn migrate(&mut self, _from: u32) {}
}

fn section() -> Vec<u8> {
    const LENGTH: usize = event_length(&Entered::EVENT);
    const EVENT: [u8; LENGTH] = event_section(&Entered::EVENT);
    [House::ABI.to_vec(), EVENT.to_vec()].concat()
}

fn field(name: &str, ty: Type) -> AbiField {
    AbiField { name: name.into(), ty, doc: String::new(), indexed: false }
}

fn named(name: &str) -> Type {
    Type::Named(name.into())
}

#[test]
fn every_entry_is_borsh_of_the_readers_type() {
    let section = section();
    let mut rest = &section[..];
    let mut entries = 0;
    while !rest.is_empty() {
        let (length, behind) = rest.split_first_chunk().unwrap();
        let (bytes, behind) = behind.split_at(u32::from_le_bytes(*length) as usize);
        let entry: Entry = borsh::from_slice(bytes).unwrap();
        assert_eq!(borsh::to_vec(&entry).unwrap(), bytes);
        (rest, entries) = (behind, entries + 1);
    }
    assert_eq!(entries, 1 + 6 + 1 + 4 + 1 + 3 + 1 + 1, "contract, methods, errors, storage, events and their types");
    assert_eq!(House::ABI.length(), House::ABI.to_vec().len());
    Abi::from_section(&section).unwrap();
}

#[test]
fn methods_are_described() {
    let abi = Abi::from_section(&section()).unwrap();
    assert_eq!((&*abi.contract.name, &*abi.contract.doc), ("House", "A house.\n\nWith rooms."));
    assert_eq!(abi.contract.version, env!("CARGO_PKG_VERSION"));

    let enter = abi.method(MethodKind::Call, "enter").unwrap();
    assert_eq!(enter.arguments, [field("room", Type::U64), field("type", named("Door"))]);
    assert_eq!((&enter.returns, &*enter.doc, enter.payable, enter.reentrant), (&Type::U16, "Goes in.", true, true));

    let init = abi.method(MethodKind::Init, "init").unwrap();
    let room = Type::Record(vec![field("left", named("Room")), field("right", named("Room"))]);
    assert_eq!(init.arguments, [field("rooms", Type::Map(Box::new(Type::U8), Box::new(room)))]);
    assert!(init.payable && abi.method(MethodKind::Receive, "receive").unwrap().payable);
    assert!(!abi.method(MethodKind::Migrate, "migrate").unwrap().payable);

    let Type::Record(page) = &abi.method(MethodKind::View, "doors").unwrap().returns else { panic!() };
    let key = Type::Tuple(vec![named("Door"), Type::String]);
    let item = Type::Tuple(vec![key, Type::Option(Box::new(Type::Timestamp))]);
    assert_eq!(page[0].ty, Type::Vec(Box::new(item)));
}

#[test]
fn storage_events_and_types_are_described() {
    let abi = Abi::from_section(&section()).unwrap();
    let rooms = &abi.storage["rooms"];
    assert_eq!((&*rooms.stored_as, &*rooms.doc), ("chambers", "Renamed once."));
    assert_eq!(rooms.layout, Layout::Map(Type::U64, named("Room")));
    assert_eq!(abi.storage["sizes"].layout, Layout::List(Type::Tuple(vec![Type::U32, Type::U32])));
    let Layout::Item(Type::Tuple(everything)) = &abi.storage["everything"].layout else { panic!() };
    assert_eq!(everything[6..11], [Type::U256, Type::Field, Type::Decimal, Type::Bytes, Type::FixedBytes(4)]);

    let entered = &abi.events["Entered"];
    let who = AbiField { doc: "Who.".into(), indexed: true, ..field("who", Type::Address) };
    assert_eq!(entered.fields, [who, field("room", Type::U64), field("by", named("Door"))]);
    assert!(abi.events.contains_key("Rain"), "an event of another crate, named by the attribute");

    let Shape::Enum(door) = &abi.types["Door"].shape else { panic!() };
    let off = vec![field("0", Type::Bool), field("1", Type::Option(Box::new(Type::U64)))];
    assert_eq!(door.iter().map(|variant| &*variant.name).collect::<Vec<_>>(), ["Shut", "Ajar", "Off"]);
    assert_eq!((&door[1].doc, &door[2].fields), (&"So wide.".to_owned(), &off));
    assert_eq!(abi.types.keys().collect::<Vec<_>>(), ["Door", "PageRequest", "Room"]);
}

#[test]
fn errors_of_all_methods_add_up() {
    let abi = Abi::from_section(&section()).unwrap();
    assert_eq!(abi.errors.keys().collect::<Vec<_>>(), ["CallFailed", "Closed", "Empty", "Full", "Muddy"]);
    let Variant { message, doc, .. } = &abi.errors["Closed"];
    assert_eq!((&**message, &**doc), ("door {number} is {door}", "No way in."));
    let call_failed = abi.errors["CallFailed"].fields.iter().map(|field| &*field.name).collect::<Vec<_>>();
    assert_eq!(call_failed, ["contract", "method", "code", "error", "fields"]);
}

#[test]
fn values_are_borsh() {
    let doors = vec![Door::Shut, Door::Ajar { degrees: 7 }, Door::Off(true, Some(1))];
    let room = Room { name: "hall".into(), doors };
    let bytes = [&[4, 0, 0, 0][..], b"hall", &[3, 0, 0, 0, 0, 1, 7, 2, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0]].concat();
    assert_eq!(borsh::to_vec(&room).unwrap(), bytes);
    assert_eq!(borsh::from_slice::<Room>(&bytes).unwrap(), room);
    assert!(borsh::from_slice::<Door>(&[3]).is_err());
    assert_eq!(borsh::to_vec(&RoomId(5)).unwrap(), borsh::to_vec(&5u64).unwrap());
}

#[test]
fn only_types_with_a_default_have_a_value_where_there_is_none() {
    assert_eq!(Door::absent(), Some(Door::Shut));
    assert_eq!(RoomId::absent(), None);
    assert_eq!(<(u8, Option<RoomId>)>::absent(), Some((0, None)));
    assert_eq!(<(u8, Address)>::absent(), None);
}

#[test]
fn errors_show_their_sentence() {
    let shown = |error: HouseError| error.to_string();
    assert_eq!(shown(HouseError::Closed { number: 2, door: Door::Shut }), "door 2 is Shut");
    assert_eq!(shown(HouseError::Full(1, Size(2, 3))), "Full(1, Size(2, 3))");
    assert_eq!(shown(HouseError::Empty), "Empty");
}
