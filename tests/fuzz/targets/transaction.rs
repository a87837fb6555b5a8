//! Transactions, records and what a node keeps of them, as anybody can send them: what decodes encodes to the same
//! bytes, so that a hash names one transaction only; and nothing panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rustorium_types::{
    block::{Header, Receipt},
    genesis::Genesis,
    id::Hash,
    record::Record,
    transaction::{Body, Message, Signed},
    validators::{Electorate, ValidatorChange, ValidatorSignature},
};

/// That of the golden vectors.
const GENESIS: Hash = Hash([9; 32]);

macro_rules! comes_back {
    ($bytes:ident, $($ty:ty),*) => {$(
        if let Ok(value) = borsh::from_slice::<$ty>($bytes) {
            assert_eq!(borsh::to_vec(&value).unwrap(), $bytes, "{}", stringify!($ty));
        }
    )*};
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(signed) = Signed::parse(bytes, &GENESIS) {
        assert_eq!(signed.to_bytes(), bytes);
        // Nearly every signature is wrong; that is for the verifier to say.
        _ = (signed.authorisation.account(), signed.body.digest(&GENESIS), signed.body.payer());
    }
    if let Ok(body) = borsh::from_slice::<Body>(bytes) {
        _ = body.check(&GENESIS);
    }
    if let Ok(Message::SetValidators { change, signatures }) = borsh::from_slice(bytes) {
        // The epoch and number are right, so that what comes behind them is looked at too.
        let validators: Vec<[u8; 32]> = signatures.iter().map(|one| one.validator).collect();
        let electorate = Electorate {
            chain: &GENESIS,
            epoch: change.epoch,
            changes: change.number.saturating_sub(1),
            validators: &validators,
        };
        assert!(change.check(&electorate, &signatures).is_err(), "nobody signed");
    }
    comes_back!(bytes, Body, Signed, Record, Header, Receipt, Genesis, Message, ValidatorChange, ValidatorSignature);
});
