//! Keys, and transactions made with them.
//!
//! A body says what its sender wants; the digest binds it to one chain, and the signature is over the digest.

use rustorium_types::{
    ed25519::SigningKey,
    hash::account_id,
    id::{AccountId, Amount, Gas, Hash, Nonce, Timestamp},
    transaction::{Authorisation, Body, Message, Signed, VERSION},
};
use zeroize::Zeroizing;

use crate::{model::SignedInput, text};

/// The number of ed25519 among the schemes of authorisation.
const ED25519: u8 = 0;

/// The key of an account; never shown.
#[derive(Clone)]
pub struct Signer {
    key: SigningKey,
    account: AccountId,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("account", &self.account).finish_non_exhaustive()
    }
}

impl Signer {
    /// The signer of an ed25519 secret key (the 32-byte seed of RFC 8032).
    pub fn from_secret(secret: &[u8; 32]) -> Self {
        let key = SigningKey::from_seed(*secret);
        let account = account_id(ED25519, &key.public_key().0);
        Self { key, account }
    }

    /// A new one.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn random() -> Result<(Self, Zeroizing<[u8; 32]>), getrandom::Error> {
        let mut secret = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *secret)?;
        Ok((Self::from_secret(&secret), secret))
    }

    /// The signer of a secret key in hex, with or without `0x`; `None` if it is none.
    pub fn from_hex(text: &str) -> Option<(Self, Zeroizing<[u8; 32]>)> {
        let digits = text.trim();
        let mut secret = Zeroizing::new([0; 32]);
        hex::decode_to_slice(digits.strip_prefix("0x").unwrap_or(digits), &mut *secret).ok()?;
        Some((Self::from_secret(&secret), secret))
    }

    /// The account that it signs for.
    pub const fn account(&self) -> AccountId {
        self.account
    }

    /// Its public key.
    pub fn public_key(&self) -> [u8; 32] {
        self.key.public_key().0
    }

    /// The authorisation of a digest.
    pub fn authorise(&self, digest: &Hash) -> Authorisation {
        Authorisation::Ed25519 { public_key: self.public_key(), signature: self.key.sign(&digest.0).0 }
    }

    /// The signed transaction of a body without a fee payer, and its hash.
    pub fn sign(&self, body: Body, genesis: &Hash) -> (Signed, Hash) {
        let digest = body.digest(genesis);
        (Signed { body, authorisation: self.authorise(&digest), fee_payer_authorisation: None }, digest)
    }
}

/// What a sender decides of a transaction, messages aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The chain's genesis hash.
    pub genesis: Hash,
    /// An unused nonce.
    pub nonce: Nonce,
    /// Gas at the most.
    pub gas_limit: Gas,
    /// Base units per gas at the most.
    pub max_gas_price: Amount,
    /// The last header time at which it may run.
    pub valid_until: Option<Timestamp>,
    /// For the sender's own use.
    pub memo: Vec<u8>,
}

impl Terms {
    /// The body of messages on these terms.
    pub fn body(self, sender: AccountId, messages: Vec<Message>) -> Body {
        let mut chain = [0; 4];
        chain.copy_from_slice(&self.genesis.0[..4]);
        Body {
            version: VERSION,
            chain,
            sender,
            nonce: self.nonce,
            valid_until: self.valid_until,
            gas_limit: self.gas_limit,
            max_gas_price: self.max_gas_price,
            fee_payer: None,
            memo: self.memo,
            messages,
        }
    }
}

impl From<&Signed> for SignedInput {
    fn from(signed: &Signed) -> Self {
        let authorisation = |authorisation| borsh::to_vec(authorisation).unwrap_or_default();
        Self {
            body: borsh::to_vec(&signed.body).unwrap_or_default(),
            auth: authorisation(&signed.authorisation),
            fee_payer_auth: signed.fee_payer_authorisation.as_ref().map(authorisation),
        }
    }
}

/// The hex text of a secret key, wiped when dropped.
pub fn secret_text(secret: &[u8; 32]) -> Zeroizing<String> {
    Zeroizing::new(text::hex::format(secret))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use rustorium_types::ed25519::{PublicKey, Signature};

    use super::*;

    #[test]
    fn what_is_signed_verifies() {
        let signer = Signer::from_secret(&[7; 32]);
        let genesis = Hash([9; 32]);
        let terms = Terms {
            genesis,
            nonce: Nonce(1),
            gas_limit: Gas(5),
            max_gas_price: Amount(1),
            valid_until: None,
            memo: Vec::new(),
        };
        let body = terms.body(signer.account(), vec![Message::StoreCode { wasm: vec![1] }]);
        let (signed, hash) = signer.sign(body.clone(), &genesis);
        assert_eq!(hash, body.digest(&genesis));
        assert_eq!(signed.authorisation.account(), signer.account());
        let Authorisation::Ed25519 { public_key, signature } = signed.authorisation else { panic!("ed25519") };
        PublicKey(public_key).verify(&hash.0, &Signature(signature)).unwrap();
        assert_eq!(Signed::parse(&signed.to_bytes(), &genesis).unwrap(), signed);
    }

    #[test]
    fn secrets_are_read_and_not_shown() {
        let (signer, secret) = Signer::from_hex(&format!("0x{}\n", "07".repeat(32))).unwrap();
        assert_eq!(*secret, [7; 32]);
        assert!(!format!("{signer:?}").contains("0707"));
        assert!(Signer::from_hex("07").is_none());
    }
}
