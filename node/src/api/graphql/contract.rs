//! Accounts and contracts.
//!
//! A proof is of certified state, which may be a moment behind the newest: whoever selects `proof` or `witness`
//! gets the value that it proves, at the height that it says.

use async_graphql::{Context, Object, Result};
use rustorium_runtime::StateKey;
use rustorium_types::id::{self, ContractId};

use super::{
    connection::{TransactionConnection, page_cost},
    query::{height_or_newest, page},
};
use crate::api::{
    App,
    model::{self, Code, PageInfo, StateProof, StateValue, Transactions, ViewResult},
    problem::ApiError,
    read::{self, Pinned, Stored, ViewRequest},
    scalar::{Address, Amount, Bytes, Cursor, Height, Json, Uint},
};

/// What an address holds.
pub(super) struct Account(model::Account);

impl Account {
    pub(super) async fn read(
        ctx: &Context<'_>,
        address: id::Address,
        height: Option<id::Height>,
    ) -> std::result::Result<Self, ApiError> {
        if !ctx.look_ahead().field("proof").exists() {
            return Pinned::of(ctx)?.account(address, height).map(Self);
        }
        let (pinned, height) = Pinned::certified_at(App::of(ctx)?, height).await?;
        let mut account = pinned.account(address, Some(height))?;
        account.proof = Some(pinned.prove(height, &StateKey::account(address))?);
        Ok(Self(account))
    }
}

#[Object]
impl Account {
    /// The address.
    async fn address(&self) -> Address {
        self.0.address.clone()
    }

    /// The height of the state that this is read from.
    async fn height(&self) -> Height {
        self.0.height
    }

    /// Native value, in base units.
    async fn balance(&self) -> Amount {
        self.0.balance.clone()
    }

    /// The highest nonce used; 0 at first.
    async fn nonce_highest(&self) -> Uint {
        self.0.nonce_highest
    }

    /// The next free nonce, transactions under way counted.
    async fn nonce_next(&self) -> Uint {
        self.0.nonce_next
    }

    /// Proves the record, or that there is none, against a certified header.
    #[graphql(complexity = "20 + child_complexity")]
    async fn proof(&self) -> Option<StateProof> {
        self.0.proof.clone()
    }

    /// The transactions that concern it, newest first.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn transactions(
        &self,
        ctx: &Context<'_>,
        first: Option<u32>,
        after: Option<Cursor>,
        last: Option<u32>,
        before: Option<Cursor>,
    ) -> Result<TransactionConnection> {
        let pinned = Pinned::of(ctx)?;
        let Some(account) = self.0.address.0.account() else {
            // Only accounts send; what a contract receives are its events.
            let none = Transactions { nodes: Vec::new(), cursors: Vec::new(), page_info: PageInfo::default() };
            return Ok(none.into());
        };
        Ok(pinned.account_transactions(account, &page(first, after, last, before))?.into())
    }
}

/// A contract as of a height.
pub(super) struct Contract {
    id: ContractId,
    /// What the query named; none for the newest, which a proof may then choose.
    asked: Option<id::Height>,
    record: model::Contract,
}

impl Contract {
    pub(super) fn read(
        ctx: &Context<'_>,
        id: ContractId,
        asked: Option<id::Height>,
    ) -> std::result::Result<Option<Self>, ApiError> {
        let record = Pinned::of(ctx)?.contract(id, asked)?;
        Ok(record.map(|record| Self { id, asked, record }))
    }

    async fn stored(&self, ctx: &Context<'_>, which: Stored) -> std::result::Result<StateValue, ApiError> {
        if ctx.look_ahead().field("proof").exists() {
            return read::stored(App::of(ctx)?, self.id, &which, self.asked, true).await;
        }
        let pinned = Pinned::of(ctx)?;
        pinned.stored(self.id, &which, Some(height_or_newest(&pinned, self.asked)))
    }
}

#[Object]
impl Contract {
    /// Its address.
    async fn address(&self) -> Address {
        self.record.address.clone()
    }

    /// The height of the state that this is read from.
    async fn height(&self) -> Height {
        self.record.height
    }

    /// Who made it.
    async fn creator(&self) -> Address {
        self.record.creator.clone()
    }

    /// Who may upgrade it; nobody ever, if null.
    async fn admin(&self) -> Option<Address> {
        self.record.admin.clone()
    }

    /// A name for people.
    async fn label(&self) -> Option<String> {
        self.record.label.clone()
    }

    /// The block that made it.
    async fn created(&self) -> Height {
        self.record.created
    }

    /// Native value that it holds.
    async fn balance(&self) -> Amount {
        self.record.balance.clone()
    }

    /// Its code.
    async fn code(&self) -> Code {
        self.record.code.clone()
    }

    /// Runs a view. With the witness selected it runs over the newest certified state, unless a height is named.
    #[graphql(complexity = "100 + child_complexity")]
    async fn view(
        &self,
        ctx: &Context<'_>,
        name: String,
        args: Option<Json>,
        raw: Option<Bytes>,
    ) -> Result<ViewResult> {
        let witness = ctx.look_ahead().field("witness").exists();
        let request = ViewRequest { contract: self.id, name, args, raw, height: self.asked, witness };
        if witness {
            return Ok(read::view(App::of(ctx)?, request).await?);
        }
        Ok(read::view_of(Pinned::of(ctx)?, request).await?)
    }

    /// A storage field's value, by its name in the source and its keys by the ABI.
    #[graphql(complexity = "5 + child_complexity")]
    async fn state(&self, ctx: &Context<'_>, field: String, key: Option<Vec<Json>>) -> Result<StateValue> {
        let keys = key.unwrap_or_default().into_iter().map(|key| key.0).collect();
        Ok(self.stored(ctx, Stored::Field { name: field, keys }).await?)
    }

    /// The value under a storage key.
    #[graphql(complexity = "5 + child_complexity")]
    async fn state_raw(&self, ctx: &Context<'_>, key: Bytes) -> Result<StateValue> {
        Ok(self.stored(ctx, Stored::Raw(key.0)).await?)
    }
}
