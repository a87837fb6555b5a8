//! Calls of other contracts.
//!
//! `#[interface]` and `#[contract]` make typed callers, as `ReceiverAt(address)`; they rest on [`Call`], which
//! can also be used as it is, where a method's name is known only when the contract runs.

use core::fmt;

use borsh::{
    BorshDeserialize, BorshSerialize,
    io::{Error, ErrorKind, Read, Result as IoResult, Write},
};
use rustorium_types::{block::TypedError, code::Code, host::CallError, id::Address};

use crate::{
    abi::{AbiType, Field, Type},
    contract::encoded,
    env,
    error::ContractError,
};

/// A call of another contract, before it is made.
///
/// The callee sees this contract as its caller. If it fails, what it did is undone, and this contract goes on
/// with the failure: `?` hands it on, for every error marked `#[error]` has a variant for it.
#[derive(Clone, Copy, Debug)]
#[must_use = "nothing is called before `call` or `query`"]
pub struct Call {
    contract: Address,
    value: u128,
    gas: u64,
}

impl Call {
    /// A call of this contract.
    pub fn to(contract: impl Into<Address>) -> Self {
        Self { contract: contract.into(), value: 0, gas: 0 }
    }

    /// Gas for the callee at the most; without this, all but 1/64 of what is left.
    pub const fn gas(self, gas: u64) -> Self {
        Self { gas, ..self }
    }

    /// Native value that comes with the call; the method must be payable.
    pub const fn value(self, value: u128) -> Self {
        Self { value, ..self }
    }

    /// Runs a method. Arguments are a tuple: `&(to, amount)`, `&(name,)`, `&()`.
    ///
    /// # Errors
    ///
    /// If the callee fails, or answers what is no `T`.
    pub fn call<T: AbiType>(self, method: &str, arguments: &impl BorshSerialize) -> Result<T, CallFailed> {
        let contract = self.contract.to_bytes();
        let value = self.value.to_le_bytes();
        let outcome = env::call(&contract, method.as_bytes(), &encoded(arguments), &value, self.gas);
        self.answer(method, outcome)
    }

    /// Runs a view.
    ///
    /// # Errors
    ///
    /// If the callee fails, or answers what is no `T`.
    pub fn query<T: AbiType>(self, view: &str, arguments: &impl BorshSerialize) -> Result<T, CallFailed> {
        let outcome = env::query(&self.contract.to_bytes(), view.as_bytes(), &encoded(arguments), self.gas);
        self.answer(view, outcome)
    }

    fn answer<T: AbiType>(self, method: &str, outcome: Result<env::Answer, CallError>) -> Result<T, CallFailed> {
        let failed = |error| CallFailed::new(Some(self.contract), method, error);
        let bytes = outcome.map_err(failed)?;
        borsh::from_slice(&bytes).map_err(|_| failed(CallError { code: Code::BadUserInput, error: None }))
    }
}

/// A call of another contract, a transfer to one or the making of one that failed.
///
/// In an error it is five fields, which the ABI lists under the variant `CallFailed`:
///
/// ```text
/// contract: Option<Address> │ method: String │ code: String │ error: Option<String> │ fields: Bytes
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallFailed {
    /// The callee; none if it was to be made.
    pub contract: Option<Address>,
    /// What of it was called: a method, a view, `receive` or `init`.
    pub method: String,
    /// Why: `CONTRACT_ERROR` for the callee's own error.
    pub code: Code,
    /// The callee's own error.
    pub error: Option<TypedError>,
}

impl CallFailed {
    pub(crate) fn new(contract: Option<Address>, method: &str, error: CallError) -> Self {
        Self { contract, method: method.into(), code: error.code, error: error.error }
    }

    /// The callee's own error, if it is one of `E`.
    pub fn decode<E: ContractError>(&self) -> Option<E> {
        let error = self.error.as_ref()?;
        E::decode(&error.name, &error.fields)
    }

    /// How the ABI describes it.
    #[doc(hidden)]
    pub const FIELDS: &'static [Field] = &[
        field("contract", Type::Option(&Type::Address), "The callee; null if it was to be made."),
        field("method", Type::String, "What of it was called."),
        field("code", Type::String, "Why it failed: CONTRACT_ERROR, OUT_OF_GAS, …"),
        field("error", Type::Option(&Type::String), "The name of the callee's own error."),
        field("fields", Type::Bytes, "The fields of the callee's own error, by its ABI."),
    ];
}

const fn field(name: &'static str, ty: Type, doc: &'static str) -> Field {
    Field { name, ty, doc, indexed: false }
}

impl BorshSerialize for CallFailed {
    fn serialize<W: Write>(&self, out: &mut W) -> IoResult<()> {
        self.contract.serialize(out)?;
        self.method.serialize(out)?;
        self.code.text().serialize(out)?;
        self.error.as_ref().map(|error| &error.name).serialize(out)?;
        self.error.as_ref().map_or(&[][..], |error| &error.fields).serialize(out)
    }
}

impl BorshDeserialize for CallFailed {
    fn deserialize_reader<R: Read>(bytes: &mut R) -> IoResult<Self> {
        let contract = Option::deserialize_reader(bytes)?;
        let method = String::deserialize_reader(bytes)?;
        let code = String::deserialize_reader(bytes)?;
        let name = Option::<String>::deserialize_reader(bytes)?;
        let fields = Vec::deserialize_reader(bytes)?;
        let code = code.parse().map_err(|_| Error::new(ErrorKind::InvalidData, "no such code"))?;
        Ok(Self { contract, method, code, error: name.map(|name| TypedError { name, fields }) })
    }
}

impl fmt::Display for CallFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.method)?;
        if let Some(contract) = self.contract {
            write!(f, " of {contract}")?;
        }
        match &self.error {
            Some(error) => write!(f, " failed: {}", error.name),
            None => write!(f, " failed: {}", self.code),
        }
    }
}

impl core::error::Error for CallFailed {}
