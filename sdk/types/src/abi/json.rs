//! Values to and from JSON, by their type: what the API, the command line and clients show and take.
//!
//! How each type looks stands beside its variant in [`Type`]. What is written is canonical; what is read may
//! also be an integer in the other of the two forms (number or decimal string), the bare name of a variant
//! without fields, and nothing at all for an optional field. An `Option` of an `Option` loses its inner
//! `none`, since both are `null`. Bytes are decoded exactly: nothing is left behind.
//!
//! Both directions take hostile input: sizes are limited by [`LIMIT`], parts by [`PARTS`](super::walk::PARTS),
//! depth by [`TYPE_DEPTH`].

mod decode;
mod encode;
pub mod number;
mod place;

use alloc::{
    borrow::ToOwned,
    string::{String, ToString},
    vec::Vec,
};

use serde_json::Value;

pub use place::Named;

use super::{
    Abi, Field, Layout, Storage, TYPE_DEPTH, Type,
    error::{Problem, ValueError},
    order,
    walk::Reader,
};
use crate::{block::TypedError, id::Address, key, limits};

/// Bytes of an encoded value at the most: arguments and stored values have no more.
pub const LIMIT: usize = limits::VALUE_BYTES;
/// Bytes of a rendered error's message at the most; longer ones are cut.
const MESSAGE_BYTES: usize = limits::ERROR_BYTES;

/// What a name stands for where an address is expected, if anything.
pub type Names<'a> = &'a dyn Fn(&str) -> Option<Address>;

/// A contract's error, readable.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadableError {
    /// Its name.
    pub name: String,
    /// Its fields.
    pub fields: Value,
    /// Its sentence, the fields put in; empty if the contract gives none.
    pub message: String,
}

/// Where in a contract's storage a value is, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The storage key.
    pub key: Vec<u8>,
    /// The type of what is stored there.
    pub ty: Type,
    /// Which part of the tuple that is stored is the value itself; the whole, if none.
    part: Option<usize>,
    /// An absent count is zero.
    counts: bool,
}

/// The `borsh` of a JSON value.
///
/// # Errors
/// Where the value does not fit the type.
pub fn encode(abi: &Abi, ty: &Type, value: &Value) -> Result<Vec<u8>, ValueError> {
    encode_named(abi, ty, value, &|_| None)
}

/// [`encode`], where names may stand for addresses.
///
/// # Errors
/// Where the value does not fit the type.
pub fn encode_named(abi: &Abi, ty: &Type, value: &Value, names: Names<'_>) -> Result<Vec<u8>, ValueError> {
    let mut encoder = encode::Encoder { abi, names, out: Vec::new() };
    encoder.value(ty, value, TYPE_DEPTH)?;
    Ok(encoder.out)
}

/// The `borsh` of a struct's fields or a method's arguments, given as an object.
///
/// # Errors
/// Where the object does not fit the fields.
pub fn encode_fields(abi: &Abi, fields: &[Field], value: &Value, names: Names<'_>) -> Result<Vec<u8>, ValueError> {
    let mut encoder = encode::Encoder { abi, names, out: Vec::new() };
    encoder.fields(fields, value, TYPE_DEPTH)?;
    Ok(encoder.out)
}

/// The JSON of a `borsh` value, exactly.
///
/// # Errors
/// Where the bytes are no value of the type.
pub fn decode(abi: &Abi, ty: &Type, bytes: &[u8]) -> Result<Value, ValueError> {
    let mut reader = Reader::new(abi, bytes);
    let value = reader.json(ty, TYPE_DEPTH)?;
    reader.finish()?;
    Ok(value)
}

/// The JSON object of the `borsh` of a struct's fields or a method's arguments, exactly.
///
/// # Errors
/// Where the bytes are not those fields.
pub fn decode_fields(abi: &Abi, fields: &[Field], bytes: &[u8]) -> Result<Value, ValueError> {
    let mut reader = Reader::new(abi, bytes);
    let value = reader.json_fields(fields, TYPE_DEPTH, serde_json::Map::new())?;
    reader.finish()?;
    Ok(value)
}

/// The JSON object of an event's fields.
///
/// # Errors
/// If the ABI has no such event, or the bytes are not its fields.
pub fn event(abi: &Abi, name: &str, bytes: &[u8]) -> Result<Value, ValueError> {
    let event = abi.events.get(name).ok_or_else(|| Problem::Undefined(name.into()))?;
    decode_fields(abi, &event.fields, bytes)
}

/// A contract's error with its fields and message.
///
/// # Errors
/// If the ABI has no such error, or the bytes are not its fields.
pub fn error(abi: &Abi, error: &TypedError) -> Result<ReadableError, ValueError> {
    let known = abi.errors.get(&error.name).ok_or_else(|| Problem::Undefined(error.name.clone()))?;
    let fields = decode_fields(abi, &known.fields, &error.fields)?;
    let message = render(&known.message, &fields);
    Ok(ReadableError { name: error.name.clone(), fields, message })
}

/// A template with `{field}` replaced by the fields.
fn render(template: &str, fields: &Value) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('{') {
        text.push_str(before);
        match behind.split_once('}').and_then(|(name, behind)| Some((fields.get(name)?, behind))) {
            Some((value, behind)) => {
                text.push_str(&plain(value));
                rest = behind;
            }
            None => {
                text.push('{');
                rest = behind;
            }
        }
        if text.len() > MESSAGE_BYTES {
            break;
        }
    }
    text.push_str(rest);
    if text.len() > MESSAGE_BYTES {
        text.truncate(text.floor_char_boundary(MESSAGE_BYTES));
        text.push('…');
    }
    text
}

/// A value in a sentence: strings without their quotes, the rest as JSON.
pub fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

impl Place {
    /// Where the value of a storage field is, for the map keys or the index given.
    ///
    /// An item takes no key; a map one, or the parts of its tuple; a list an index, or none for its length;
    /// a map that can be paged as a map, or none for its count.
    ///
    /// # Errors
    /// Where the keys do not fit the field.
    pub fn find(abi: &Abi, field: &Storage, keys: &[Value], names: Names<'_>) -> Result<Self, ValueError> {
        let mut place = Self { key: key::field(&field.stored_as), ty: Type::U32, part: None, counts: false };
        match (&field.layout, keys) {
            (Layout::Item(value), []) => place.ty = value.clone(),
            (Layout::List(_), []) => place.counts = true,
            (Layout::EnumMap(..), []) => {
                place.key.push(b'n');
                place.counts = true;
            }
            (Layout::List(value), [_]) => {
                place.append(abi, &Type::U32, keys, names)?;
                place.ty = value.clone();
            }
            (Layout::Map(key, value), [_, ..]) => {
                place.append(abi, key, keys, names)?;
                place.ty = value.clone();
            }
            (Layout::EnumMap(key, value), [_, ..]) => {
                place.key.push(b'v');
                place.append(abi, key, keys, names)?;
                place.ty = Type::Tuple(Vec::from([Type::U32, value.clone()]));
                place.part = Some(1);
            }
            (Layout::Item(_) | Layout::List(_), _) => return Err(Problem::Behind(keys.len()).into()),
            (Layout::Map(key, _), []) => {
                return Err(ValueError::from(Problem::Missing(key.to_string())).in_field("key"));
            }
        }
        Ok(place)
    }

    /// The JSON of what is stored there.
    ///
    /// # Errors
    /// Where the bytes are no value of the type.
    pub fn value(&self, abi: &Abi, stored: Option<&[u8]>) -> Result<Value, ValueError> {
        let Some(stored) = stored else {
            return Ok(if self.counts { Value::from(0) } else { Value::Null });
        };
        let mut value = decode(abi, &self.ty, stored)?;
        Ok(match self.part {
            Some(part) => value.get_mut(part).map_or(Value::Null, Value::take),
            None => value,
        })
    }

    fn append(&mut self, abi: &Abi, ty: &Type, keys: &[Value], names: Names<'_>) -> Result<(), ValueError> {
        let encoded = match keys {
            [key] => encode_named(abi, ty, key, names),
            parts => encode_named(abi, ty, &Value::Array(parts.to_vec()), names),
        };
        let encoded = encoded.map_err(|error| error.in_field("key"))?;
        order::append(abi, ty, &encoded, &mut self.key)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use alloc::{boxed::Box, vec};

    use serde_json::json;

    use super::{super::testing, *};

    #[test]
    fn values_and_their_json() {
        let abi = testing::abi();
        for (ty, bytes, text) in testing::values() {
            let value: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(decode(&abi, &ty, &bytes), Ok(value.clone()), "{ty}");
            assert_eq!(encode(&abi, &ty, &value), Ok(bytes.clone()), "{ty}");
            let mut longer = bytes;
            longer.push(0);
            assert!(decode(&abi, &ty, &longer).is_err(), "{ty} with a byte behind it");
        }
    }

    #[test]
    fn what_else_is_accepted() {
        let abi = testing::abi();
        let same = |ty: Type, written: Value, canonical: Value| {
            assert_eq!(decode(&abi, &ty, &encode(&abi, &ty, &written).unwrap()), Ok(canonical), "{ty}");
        };
        same(Type::U128, json!(5), json!("5"));
        same(Type::U8, json!("5"), json!(5));
        same(Type::Decimal, json!("1.50"), json!("1.5"));
        same(Type::Timestamp, json!(1_700_000_000_000u64), json!("2023-11-14T22:13:20.000Z"));
        same(Type::Named("Choice".into()), json!("Yes"), json!({"type": "Yes"}));
        same(Type::Named("Point".into()), json!({"x": 1}), json!({"x": 1, "label": null}));
        let map = Type::Map(Box::new(Type::String), Box::new(Type::Unit));
        let entry = |key: &str| json!({"key": key, "value": null});
        same(map, json!([entry("b"), entry("a")]), json!([entry("a"), entry("b")]));
        let alice = |name: &str| (name == "alice").then_some(testing::SEVEN);
        let encoded = encode_named(&abi, &Type::Address, &json!("alice"), &alice);
        assert_eq!(encoded.map(|bytes| bytes[1..] == [7; 32]), Ok(true));
    }

    #[test]
    fn what_is_refused_and_where() {
        let abi = testing::abi();
        let arguments = &abi.method(super::super::MethodKind::Call, "transfer").unwrap().arguments;
        let said = |value: Value| encode_fields(&abi, arguments, &value, &|_| None).unwrap_err().to_string();
        let to = testing::SEVEN_TEXT;
        assert_eq!(said(json!({"to": to})), "`amount`: missing; expected u128, a decimal string");
        assert_eq!(said(json!({"to": to, "amount": -1})), "`amount`: expected u128, a decimal string, found -1");
        assert_eq!(said(json!({"to": to, "amount": 1.5})), "`amount`: expected u128, a decimal string, found 1.5");
        assert_eq!(said(json!({"to": "bob", "amount": 1})), "`to`: expected Address, acc1… or con1…, found \"bob\"");
        assert_eq!(said(json!({"to": to, "amout": 1})), "`amout`: no such field; known: to, amount");
        assert_eq!(said(json!([])), "expected { to: Address, amount: u128 }, an object, found []");
        let wrong = |ty: &Type, value: Value| encode(&abi, ty, &value).unwrap_err().to_string();
        let choice = Type::Named("Choice".into());
        assert_eq!(wrong(&choice, json!("Maybe")), "`Maybe`: no such variant; known: Yes, No, Pair");
        assert_eq!(wrong(&choice, json!({"type": "Yes", "x": 1})), "`Yes.x`: no such field; there are none");
        let map = Type::Map(Box::new(Type::U8), Box::new(Type::Unit));
        let twice = json!([{"key": 1, "value": null}, {"key": "1", "value": null}]);
        assert_eq!(wrong(&map, twice), "the map has this key twice");
        assert_eq!(
            decode(&abi, &map, &[2, 0, 0, 0, 5, 4]).unwrap_err().to_string(),
            "`[1]`: the map's keys do not rise"
        );
        assert_eq!(wrong(&Type::String, json!("a".repeat(LIMIT))), "larger than 65536 bytes");
        let scalar = Type::Field;
        assert!(decode(&abi, &scalar, &[0xff; 32]).is_err());
        for (ty, bytes) in [(Type::Bool, vec![2]), (Type::String, vec![1, 0, 0, 0, 0xff]), (choice, vec![3])] {
            assert!(matches!(decode(&abi, &ty, &bytes).unwrap_err().problem, Problem::Encoding(_)), "{ty}");
        }
    }

    #[test]
    fn errors_read_as_their_author_wrote_them() {
        let abi = testing::abi();
        let fields = borsh::to_vec(&(5u128, 3u128)).unwrap();
        let readable = error(&abi, &TypedError { name: "Insufficient".into(), fields }).unwrap();
        assert_eq!(readable.message, "needs 5, has 3");
        assert_eq!(readable.fields, json!({"needed": "5", "available": "3"}));
        assert_eq!(render("{a}{{x} {a", &json!({"a": "é"})), "é{{x} {a");
        let long = json!({"a": "é".repeat(MESSAGE_BYTES)});
        assert!(render(&"{a}".repeat(1_000), &long).len() <= MESSAGE_BYTES + '…'.len_utf8());
        assert!(error(&abi, &TypedError { name: "Other".into(), fields: vec![] }).is_err());
    }

    #[test]
    fn a_storage_field_is_found_by_its_keys() {
        let abi = testing::abi();
        let find = |name: &str, keys: &[Value]| Place::find(&abi, &abi.storage[name], keys, &|_| None);
        let seven = json!(testing::SEVEN_TEXT);
        let owner = find("owner", &[]).unwrap();
        assert_eq!(owner.key, b"\x05owner");
        assert_eq!(owner.value(&abi, None), Ok(Value::Null));
        let balance = find("balances", core::slice::from_ref(&seven)).unwrap();
        assert_eq!(balance.key, [b"\x08balancesv\x00".as_slice(), &[7; 32]].concat());
        let stored = borsh::to_vec(&(4u32, 9u128)).unwrap();
        assert_eq!(balance.value(&abi, Some(&stored)), Ok(json!("9")));
        assert_eq!(find("balances", &[]).unwrap().value(&abi, None), Ok(json!(0)));
        let allowance = find("allowances", &[seven.clone(), seven.clone()]).unwrap();
        assert_eq!(allowance, find("allowances", &[json!([seven, seven])]).unwrap());
        assert_eq!(find("notes", &[json!(258)]).unwrap().key, b"\x05notes\0\0\x01\x02");
        assert_eq!(find("owner", &[json!(1)]).unwrap_err().problem, Problem::Behind(1));
        assert!(find("allowances", &[]).is_err() && find("notes", &[json!("x")]).is_err());
    }
}
