//! An ABI against the exports that it describes.
//!
//! Nodes run exports; people, clients and explorers see the ABI. One that describes what is not there, or keeps quiet
//! about what is, misleads everybody but the machine, so code with such an ABI is not stored.

use std::collections::BTreeSet;

use rustorium_types::{
    abi::{Abi, Method, MethodKind},
    host::{CALL_PREFIX, VIEW_PREFIX},
};

use super::{InvalidModule, PAYABLE_PREFIX, REENTRANT_PREFIX};

/// Checks that the entry points and marks among the exports are those that the ABI describes.
pub(super) fn check<'a>(abi: &Abi, entries: impl Iterator<Item = &'a str>) -> Result<(), InvalidModule> {
    let described: BTreeSet<String> = abi.methods.values().flat_map(exports).collect();
    let exported: BTreeSet<&str> = entries.collect();
    if let Some(missing) = described.iter().find(|export| !exported.contains(export.as_str())) {
        return Err(InvalidModule::NotExported(missing.clone()));
    }
    match exported.into_iter().find(|export| !described.contains(*export)) {
        Some(silent) => Err(InvalidModule::NotDescribed(silent.to_owned())),
        None => Ok(()),
    }
}

/// The exports of a method: its entry point and its marks.
fn exports(method: &Method) -> impl Iterator<Item = String> {
    let Method { kind, name, .. } = method;
    let entry = match kind {
        MethodKind::Init | MethodKind::Migrate | MethodKind::Receive => kind.text().to_owned(),
        MethodKind::Call => format!("{CALL_PREFIX}{name}"),
        MethodKind::View => format!("{VIEW_PREFIX}{name}"),
    };
    // `receive` takes value without a mark.
    let payable = method.payable && matches!(kind, MethodKind::Init | MethodKind::Call);
    let reentrant = method.reentrant && matches!(kind, MethodKind::Receive | MethodKind::Call);
    let payable = payable.then(|| format!("{PAYABLE_PREFIX}{name}"));
    let reentrant = reentrant.then(|| format!("{REENTRANT_PREFIX}{name}"));
    [Some(entry), payable, reentrant].into_iter().flatten()
}
