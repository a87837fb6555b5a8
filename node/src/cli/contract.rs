//! `rustorium contract`: what a contract is, and who may upgrade it.

use rustorium_types::transaction::Message;
use serde_json::Value;

use super::{
    CliError, Context,
    submit::{self, Plan},
};

/// Shows a contract, or hands over the right to upgrade it.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ContractCommand {
    /// Shows a contract's code, creator, admin and balance.
    Show {
        /// The contract: its name or address.
        contract: String,
    },
    /// Hands over the right to upgrade a contract.
    SetAdmin {
        /// The contract: its name or address.
        contract: String,
        /// The next admin: an account, a contract, or `none` for nobody ever.
        #[arg(value_name = "ACCOUNT|none")]
        admin: String,
    },
}

pub(crate) async fn run(command: ContractCommand, context: &Context) -> Result<(), CliError> {
    match command {
        ContractCommand::Show { contract } => {
            let contract = context.contract(&contract).await?;
            let object: Value = context.client.get(&format!("/v1/contracts/{contract}"), &[]).await?;
            context.output.listing(&object);
        }
        ContractCommand::SetAdmin { contract: name, admin } => {
            let contract = context.contract(&name).await?;
            let people = context.people().await?;
            let admin = match admin.as_str() {
                "none" => None,
                name => Some(people.address_or_error(name)?),
            };
            let outcome = submit::run(context, Plan::of(vec![Message::SetAdmin { contract, admin }])).await?;
            context.output.show(&outcome.object(0), || outcome.text(&format!("set-admin {name}"), 0, &people));
        }
    }
    Ok(())
}
