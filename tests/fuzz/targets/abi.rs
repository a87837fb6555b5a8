//! ABIs as anybody can store them, and values that are said to be theirs: an ABI that is accepted comes back from what
//! is published of it, breaks nothing of itself, and every value is read or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rustorium_types::{
    abi::{Abi, compat, json, section, walk},
    block::TypedError,
};

// Input: bytes of a module or section; or the section's length in two bytes, the section, and a value.
fuzz_target!(|bytes: &[u8]| {
    _ = section::find(bytes);
    _ = Abi::from_wasm(bytes);
    published(bytes);
    let Some((length, rest)) = bytes.split_first_chunk() else { return };
    let Some((section, value)) = rest.split_at_checked(u16::from_le_bytes(*length).into()) else { return };
    if let Some(abi) = published(section) {
        read(&abi, value);
    }
});

fn published(section: &[u8]) -> Option<Abi> {
    let abi = Abi::from_section(section).ok()?;
    let again = Abi::from_json(&abi.to_json());
    assert_eq!(again.expect("what is published is an ABI"), abi);
    let breaks = compat::breaks(&abi, &abi);
    assert!(breaks.is_empty(), "{breaks:?}");
    Some(abi)
}

fn read(abi: &Abi, value: &[u8]) {
    for method in abi.methods.values() {
        if let Ok(arguments) = json::decode_fields(abi, &method.arguments, value) {
            json::encode_fields(abi, &method.arguments, &arguments, &|_| None).expect("what decodes encodes");
        }
        _ = json::decode(abi, &method.returns, value);
    }
    for name in abi.events.keys() {
        let fields = walk::event_fields(abi, name, value);
        if json::event(abi, name, value).is_ok() {
            assert!(fields.is_ok(), "what reads as JSON has its fields: {fields:?}");
        }
    }
    for name in abi.errors.keys() {
        _ = json::error(abi, &TypedError { name: name.clone(), fields: value.to_vec() });
    }
    for field in abi.storage.values() {
        if let Ok(place) = json::Place::find(abi, field, &[], &|_| None) {
            _ = place.value(abi, Some(value));
        }
    }
}
