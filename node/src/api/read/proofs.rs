//! Proofs and witnesses, as the light client takes them.

use rustorium_chain::storage::TransactionPosition;
use rustorium_runtime::{StateKey, ViewOutcome};
use rustorium_types::{
    bundle,
    id::{ContractId, Hash, Height},
};

use super::{BlockName, Pinned, Stored};
use crate::api::{
    App,
    model::{Header, StateProof, StateValue, Witness},
    problem::ApiError,
    scalar,
};

/// A stored value, proven if it is asked for.
pub(crate) async fn stored(
    app: &App,
    contract: ContractId,
    which: &Stored,
    height: Option<Height>,
    proof: bool,
) -> Result<StateValue, ApiError> {
    if !proof {
        return Pinned::newest(app).stored(contract, which, height);
    }
    let (pinned, height) = Pinned::certified_at(app, height).await?;
    let mut value = pinned.stored(contract, which, Some(height))?;
    value.proof = Some(pinned.prove(height, &StateKey::new(contract, value.key.0.clone()))?);
    Ok(value)
}

impl Pinned {
    /// Proves an entry, or that there is none, at a certified height.
    pub(crate) fn prove(&self, height: Height, key: &StateKey) -> Result<StateProof, ApiError> {
        let head = self.head(height)?;
        let certifier = self.header_at(head.certifier.height)?;
        let entry = self.entry(height, key)?;
        let path = borsh::to_vec(&entry.proof).unwrap_or_default();
        Ok(StateProof {
            height: scalar::Height(height),
            header: self.header_at(height)?,
            certifier,
            path: path.into(),
            bytes: bundle::StateProof { head, entry }.to_bytes().into(),
        })
    }

    /// Proves everything that a view read at a certified height.
    pub(super) fn witness(&self, height: Height, outcome: &ViewOutcome) -> Result<Witness, ApiError> {
        let head = self.head(height)?;
        let certifier = self.header_at(head.certifier.height)?;
        let entries = outcome.reads.iter().map(|key| self.entry(height, key)).collect::<Result<_, _>>()?;
        let codes = outcome.reads.iter().filter_map(code_hash).map(scalar::Hash).collect();
        Ok(Witness {
            header: self.header_at(height)?,
            certifier,
            codes,
            bytes: bundle::Witness { head, entries }.to_bytes().into(),
        })
    }

    /// Proves a receipt against a certified header; `None` while there is no such header, or no such receipt.
    pub(crate) fn receipt_proof(&self, position: TransactionPosition) -> Result<Option<scalar::Bytes>, ApiError> {
        if position.height > self.snapshot().certified() {
            return Ok(None);
        }
        let Some(receipt) = self.snapshot().receipt(position)? else { return Ok(None) };
        let head = self.head(position.height)?;
        let path = self.snapshot().receipt_proof(position)?;
        Ok(Some(bundle::ReceiptProof { head, receipt, path }.to_bytes().into()))
    }

    /// That the result of a height is certified, by the newest header.
    fn head(&self, height: Height) -> Result<bundle::HeadProof, ApiError> {
        Ok(self.snapshot().head_proof(height)?)
    }

    fn entry(&self, height: Height, key: &StateKey) -> Result<bundle::WitnessEntry, ApiError> {
        let (value, proof) = self.snapshot().prove(height, key)?;
        Ok(bundle::WitnessEntry {
            contract: key.contract,
            key: key.key.to_vec(),
            value: value.map(|value| value.to_vec()),
            proof,
        })
    }

    fn header_at(&self, height: Height) -> Result<Header, ApiError> {
        let sealed = self.sealed(BlockName::Height(height))?;
        self.header(&sealed.ok_or_else(|| ApiError::internal(format!("there is no header {height}")))?)
    }
}

/// The hash of the code whose record this key names, if it names one.
fn code_hash(key: &StateKey) -> Option<Hash> {
    let name = rustorium_types::key::field("code");
    if key.contract != ContractId::SYSTEM {
        return None;
    }
    key.key.strip_prefix(name.as_slice())?.try_into().ok().map(Hash)
}
