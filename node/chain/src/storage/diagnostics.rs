//! Diagnostics of a block in one row: what helps people, and is part of no commitment.
//!
//! ```text
//! row   borsh [ (index of the receipt, message?, function?, [ (contract, log line) ]) ]
//! ```

use std::collections::BTreeMap;

use rustorium_runtime::{Diagnostics, LogLine};
use rustorium_types::id::ContractId;

type Entry = (u32, Option<String>, Option<String>, Vec<(ContractId, String)>);

/// The row of a block's diagnostics.
pub(crate) fn encode(diagnostics: &BTreeMap<u32, Diagnostics>) -> Vec<u8> {
    let entries: Vec<Entry> = diagnostics
        .iter()
        .map(|(index, of)| {
            let logs = of.logs.iter().map(|line| (line.contract, line.text.clone())).collect();
            (*index, of.message.clone(), of.function.clone(), logs)
        })
        .collect();
    borsh::to_vec(&entries).unwrap_or_default()
}

/// Reads what [`encode`] wrote.
pub(crate) fn decode(row: &[u8]) -> Option<BTreeMap<u32, Diagnostics>> {
    let entries: Vec<Entry> = borsh::from_slice(row).ok()?;
    let entries = entries.into_iter().map(|(index, message, function, logs)| {
        let logs = logs.into_iter().map(|(contract, text)| LogLine { contract, text }).collect();
        (index, Diagnostics { message, function, logs })
    });
    Some(entries.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_round_trip() {
        let logs = vec![LogLine { contract: ContractId([3; 32]), text: "paid".into() }];
        let of = Diagnostics { message: Some("index out of bounds".into()), function: None, logs };
        let diagnostics = BTreeMap::from([(0, of), (7, Diagnostics::default())]);
        assert_eq!(decode(&encode(&diagnostics)), Some(diagnostics));
        assert_eq!(decode(&[1]), None);
    }
}
