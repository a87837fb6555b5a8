//! Counts the words of a text, with what the standard library has and the host's functions as they are.

use std::collections::HashMap;

#[link(wasm_import_module = "rustorium.1")]
unsafe extern "C" {
    fn arguments(to: *mut u8, capacity: usize) -> u64;
    fn storage_write(key: *const u8, key_length: usize, value: *const u8, length: usize);
    fn storage_read(key: *const u8, key_length: usize, to: *mut u8, capacity: usize) -> u64;
    fn return_data(bytes: *const u8, length: usize);
}

const KEY: &str = "counts";

fn text() -> String {
    let mut bytes = vec![0; 1024];
    let length = unsafe { arguments(bytes.as_mut_ptr(), bytes.len()) };
    bytes.truncate(length as usize);
    String::from_utf8(bytes).expect("a text")
}

fn counted(text: &str) -> String {
    let mut counts: HashMap<String, u32> = HashMap::new();
    for word in text.split_whitespace() {
        *counts.entry(word.to_lowercase()).or_default() += 1;
    }
    let mut lines: Vec<String> = counts.iter().map(|(word, count)| format!("{word}={count:02}")).collect();
    lines.sort();
    lines.join(", ")
}

#[unsafe(export_name = "init")]
pub extern "C" fn init() {}

#[unsafe(export_name = "call.count")]
pub extern "C" fn count() {
    let counted = counted(&text());
    unsafe {
        storage_write(KEY.as_ptr(), KEY.len(), counted.as_ptr(), counted.len());
        return_data(counted.as_ptr(), counted.len());
    }
}

#[unsafe(export_name = "view.counted")]
pub extern "C" fn view() {
    let mut bytes = vec![0; 1024];
    let length = unsafe { storage_read(KEY.as_ptr(), KEY.len(), bytes.as_mut_ptr(), bytes.len()) };
    unsafe { return_data(bytes.as_ptr(), length as usize) };
}

#[unsafe(export_name = "call.fail")]
pub extern "C" fn fail() {
    panic!("{} is no text", text());
}
