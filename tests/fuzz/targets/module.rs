//! Modules as anybody can store them: what the validator accepts is stored, compiled and instantiated, and whatever
//! happens then is an outcome, never a failure of the machine; the same one whether the code was optimized or not.
#![no_main]

#[path = "../../../runtime/tests/adapt.rs"]
#[allow(dead_code, reason = "made for tests")]
mod adapt;
#[path = "../chain.rs"]
mod chain;
#[path = "../../../runtime/tests/smith.rs"]
#[allow(dead_code, reason = "made for tests")]
mod smith;
#[path = "../../../runtime/tests/table.rs"]
#[allow(dead_code, reason = "made for tests")]
mod table;

use libfuzzer_sys::fuzz_target;

/// Input: a module; or its text; or a zero and bytes of which wasm-smith makes one, which is nearly always accepted.
fn module(bytes: &[u8]) -> Option<Vec<u8>> {
    match bytes {
        [0, b'a', ..] => Some(bytes.to_vec()),
        [0, first, rest @ ..] => {
            let (arguments, source) = rest.split_at_checked(8)?;
            Some(smith::contract(source, arguments.iter().copied(), first % 2 == 0)?.wasm)
        }
        _ => wat::parse_str(std::str::from_utf8(bytes).ok()?).ok(),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some(wasm) = module(bytes) else { return };
    let Ok(info) = chain::runtime(true).inspect(&wasm) else { return };
    let methods: Vec<&str> = info.exports.iter().filter_map(|export| export.strip_prefix("call.")).collect();
    let run = |optimize| {
        let deployed = chain::deploy(optimize, wasm.clone())?;
        Some(methods.iter().take(4).map(|method| chain::call(&deployed, method, b"arguments")).collect::<Vec<_>>())
    };
    assert_eq!(run(true), run(false));
});
