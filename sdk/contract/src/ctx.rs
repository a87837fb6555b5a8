//! What a method is told of its call, and what it may ask of the chain.

use rustorium_types::{
    field::Field,
    id::{Address, Hash, Timestamp},
};

use crate::{call::CallFailed, contract::encoded, env, event::Event};

use borsh::BorshSerialize;

/// The running call: a method's first argument after `self`, where it wants it.
#[derive(Debug)]
pub struct Ctx(());

/// A contract to be made, for [`Ctx::instantiate`].
#[derive(Clone, Debug, Default)]
pub struct NewContract {
    /// The hash of stored code.
    pub code: Hash,
    /// What tells it from others that this contract made: its address is a hash of this and of the maker.
    pub salt: [u8; 32],
    /// Who may upgrade it; nobody ever, if none.
    pub admin: Option<Address>,
    /// A name for people, 64 bytes at the most.
    pub label: String,
    /// Native value that it starts with; its `init` must be payable.
    pub value: u128,
    /// Gas for its `init` at the most; 0 is all but 1/64 of what is left.
    pub gas: u64,
}

impl Ctx {
    #[doc(hidden)]
    pub const fn of_this_call() -> Self {
        Self(())
    }

    /// Who called: an account, or the contract whose method made this call.
    ///
    /// # Panics
    ///
    /// In a view that is called from outside, which has no caller.
    pub fn caller(&self) -> Address {
        self.try_caller().unwrap_or_else(|| env::trap(&["a view that is called from outside has no caller"]))
    }

    /// Who called; `None` in a view that is called from outside.
    pub fn try_caller(&self) -> Option<Address> {
        env::caller().map(|bytes| address(&bytes))
    }

    /// This contract's address.
    pub fn this(&self) -> Address {
        address(&env::this())
    }

    /// The native value that came with this call; it is in the balance already.
    pub fn value(&self) -> u128 {
        u128::from_le_bytes(env::value())
    }

    /// This contract's native balance.
    pub fn balance(&self) -> u128 {
        self.balance_of(self.this())
    }

    /// An address's native balance.
    pub fn balance_of(&self, address: impl Into<Address>) -> u128 {
        u128::from_le_bytes(env::balance(&address.into().to_bytes()))
    }

    /// The block's height.
    pub fn height(&self) -> u64 {
        env::height()
    }

    /// The block's time. It rises from block to block and is the same for all of a block's transactions.
    pub fn time(&self) -> Timestamp {
        Timestamp(env::time())
    }

    /// The genesis hash, which names the chain.
    pub fn genesis_hash(&self) -> Hash {
        Hash(env::genesis_hash())
    }

    /// Says that something happened.
    pub fn emit<E: Event>(&self, event: E) {
        env::emit(E::EVENT.name.as_bytes(), &encoded(&event));
    }

    /// A line for whoever runs or debugs the contract; it is in no receipt.
    pub fn log(&self, message: impl AsRef<str>) {
        env::log(message.as_ref().as_bytes());
    }

    /// Sends native value of this contract. A contract that receives it runs its `#[receive]` method.
    ///
    /// # Errors
    ///
    /// If the balance is too small, or the receiver has no such method or fails; then nothing was sent.
    pub fn transfer(&self, to: impl Into<Address>, amount: u128) -> Result<(), CallFailed> {
        let to = to.into();
        match env::transfer(&to.to_bytes(), &amount.to_le_bytes(), 0) {
            Ok(_) => Ok(()),
            Err(error) => Err(CallFailed::new(Some(to), "receive", error)),
        }
    }

    /// Makes a contract and answers its address. Arguments of its `init` are a tuple, as in
    /// [`Call::call`](crate::Call::call).
    ///
    /// # Errors
    ///
    /// If there is no such code, the salt is used, or `init` fails; then nothing was made.
    pub fn instantiate(&self, new: NewContract, arguments: &impl BorshSerialize) -> Result<Address, CallFailed> {
        let admin = new.admin.map(Address::to_bytes);
        let outcome = env::instantiate(
            new.code.as_bytes(),
            &new.salt,
            admin.as_ref().map_or(&[], |bytes| bytes),
            new.label.as_bytes(),
            &encoded(arguments),
            &new.value.to_le_bytes(),
            new.gas,
        );
        match outcome {
            Ok(answer) => Ok(address(answer.get(..Address::LEN).unwrap_or_default())),
            Err(error) => Err(CallFailed::new(None, "init", error)),
        }
    }

    /// SHA-256.
    pub fn sha256(&self, data: impl AsRef<[u8]>) -> Hash {
        Hash(env::sha256(data.as_ref()))
    }

    /// Keccak-256, as Ethereum uses it.
    pub fn keccak256(&self, data: impl AsRef<[u8]>) -> Hash {
        Hash(env::keccak256(data.as_ref()))
    }

    /// BLAKE3.
    pub fn blake3(&self, data: impl AsRef<[u8]>) -> Hash {
        Hash(env::blake3(data.as_ref()))
    }

    /// Poseidon of two elements with circom's parameters, as circomlib's `Poseidon(2)`.
    pub fn poseidon(&self, left: Field, right: Field) -> Field {
        Field::from_be_bytes(&env::poseidon(&left.to_be_bytes(), &right.to_be_bytes())).unwrap_or(Field::ZERO)
    }

    /// Whether an ed25519 signature is valid, by ZIP-215.
    pub fn verify_ed25519(&self, public_key: &[u8; 32], signature: &[u8; 64], message: impl AsRef<[u8]>) -> bool {
        env::ed25519_verify(public_key, signature, message.as_ref())
    }
}

fn address(bytes: &[u8]) -> Address {
    borsh::from_slice(bytes).unwrap_or_else(|_| env::trap(&["the host answered what is no address"]))
}
