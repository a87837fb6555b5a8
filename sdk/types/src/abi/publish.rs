//! The published form of an ABI: what `GET /v1/contracts/{address}/abi` and `rustorium abi` answer, and what
//! clients of other languages read. Its schema is in `docs/sdk/abi.md`.
//!
//! Reading it back checks what [`Abi::from_entries`] checks, so that an [`Abi`] never breaks its invariants,
//! whoever sent it.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::{Abi, AbiError, Contract, Entry, Event, Method, Storage, TypeDefinition, Variant};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    abi_version: u16,
    name: String,
    version: String,
    doc: String,
    methods: Vec<Method>,
    events: Vec<Event>,
    errors: Vec<Variant>,
    types: Vec<TypeDefinition>,
    storage: Vec<Storage>,
}

/// Why a JSON document is no ABI.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// It does not have the published form.
    #[error("not an ABI document: {0}")]
    Form(serde_json::Error),
    /// It has, but does not describe a contract.
    #[error(transparent)]
    Abi(#[from] AbiError),
}

impl Abi {
    /// The published form.
    pub fn to_json(&self) -> Value {
        let Contract { abi_version, name, version, doc } = self.contract.clone();
        let document = Document {
            abi_version,
            name,
            version,
            doc,
            methods: self.methods.values().cloned().collect(),
            events: self.events.values().cloned().collect(),
            errors: self.errors.values().cloned().collect(),
            types: self.types.values().cloned().collect(),
            storage: self.storage.values().cloned().collect(),
        };
        // Its only maps are structs, so nothing in it can fail to be JSON.
        serde_json::to_value(document).unwrap_or_default()
    }

    /// The ABI of a published form.
    ///
    /// # Errors
    /// If it has another form, or breaks a rule of ABIs.
    pub fn from_json(document: &Value) -> Result<Self, DocumentError> {
        let document = Document::deserialize(document).map_err(DocumentError::Form)?;
        let Document { abi_version, name, version, doc, methods, events, errors, types, storage } = document;
        let mut entries = Vec::from([Entry::Contract(Contract { abi_version, name, version, doc })]);
        entries.extend(methods.into_iter().map(Entry::Method));
        entries.extend(events.into_iter().map(Entry::Event));
        entries.push(Entry::Error(errors));
        entries.extend(types.into_iter().map(Entry::Type));
        entries.extend(storage.into_iter().map(Entry::Storage));
        Ok(Self::from_entries(entries)?)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use alloc::string::ToString;

    use super::{super::testing, *};

    #[test]
    fn an_abi_survives_publication() {
        let abi = testing::abi();
        let text = abi.to_json().to_string();
        assert_eq!(Abi::from_json(&serde_json::from_str(&text).unwrap()).unwrap(), abi);
    }

    #[test]
    fn a_document_that_breaks_a_rule_is_refused() {
        let mut document = testing::abi().to_json();
        document["methods"][0]["returns"] = serde_json::json!({"named": "Nowhere"});
        assert!(
            matches!(Abi::from_json(&document), Err(DocumentError::Abi(AbiError::Undefined(name))) if name == "Nowhere")
        );
        assert!(matches!(Abi::from_json(&Value::Null), Err(DocumentError::Form(_))));
    }
}
