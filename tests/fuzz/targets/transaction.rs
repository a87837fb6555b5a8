//! Transactions, records and what a node keeps of them, as anybody can send them: what decodes encodes to the same
//! bytes, so that a hash names one transaction only; and nothing panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rustorium_types::{
    block::{Header, Receipt},
    genesis::Genesis,
    id::Hash,
    record::Record,
    transaction::{Body, Signed},
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
    comes_back!(bytes, Body, Signed, Record, Header, Receipt, Genesis);
});
