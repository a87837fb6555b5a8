//! `rustorium account`: keys in the encrypted keystore, and what accounts hold.

use std::io::{IsTerminal, stdin};

use rustorium_client::Signer;
use rustorium_types::{
    code::Code,
    id::{Address, Amount},
};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{
    CliError, Context,
    call::amount,
    context::passphrase,
    output::table,
    submit::Plan,
    transfer::{self, named},
};
use crate::{dev, keystore::Keystore};

/// What `fund` gives unless it is told: a thousandth of a dev account.
const FUNDS: Amount = Amount(1_000_000_000_000_000_000_000);

/// Makes, imports, lists, shows and funds accounts.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum AccountCommand {
    /// Makes a key and keeps it, encrypted with a passphrase.
    New {
        /// Its name.
        name: String,
    },
    /// Keeps a secret key that is typed in, or comes on stdin; never as an argument.
    Import {
        /// Its name.
        name: String,
    },
    /// Lists the accounts that have a name here.
    List,
    /// Shows what an account holds.
    Show {
        /// Its name or address.
        account: String,
    },
    /// Gives an account native value, on dev chains only: a transfer from the first dev account.
    Fund {
        /// Its name or address.
        account: String,
        /// `amount=AMOUNT` in base units [default: 10^21].
        #[arg(value_name = "NAME=VALUE")]
        arguments: Vec<String>,
    },
}

pub(crate) async fn run(command: AccountCommand, context: &Context) -> Result<(), CliError> {
    match command {
        AccountCommand::New { name } => {
            let (_, secret) = Signer::random()?;
            keep(context, &name, &secret)
        }
        AccountCommand::Import { name } => {
            let text = secret_text()?;
            let (_, secret) =
                Signer::from_hex(&text).ok_or_else(|| CliError::usage("a secret key is 64 hex digits"))?;
            keep(context, &name, &secret)
        }
        AccountCommand::List => list(context).await,
        AccountCommand::Show { account } => {
            let address = context.people().await?.address_or_error(&account)?;
            let object: Value = context.client.get(&format!("/v1/accounts/{address}"), &[]).await?;
            context.output.listing(&object);
            Ok(())
        }
        AccountCommand::Fund { account, arguments } => fund(context, &account, &arguments).await,
    }
}

fn keep(context: &Context, name: &str, secret: &[u8; 32]) -> Result<(), CliError> {
    if dev::find(name).is_some() {
        let message = format!("`{name}` is an account of every dev chain, whose key is public; choose another name");
        return Err(CliError::new(Code::AlreadyExists, message));
    }
    let chosen = passphrase("A passphrase for the key: ")?;
    let from_file = std::env::var_os("RUSTORIUM_PASSPHRASE_FILE").is_some_and(|path| !path.is_empty());
    if !from_file && *passphrase("The same again: ")? != *chosen {
        return Err(CliError::usage("the two passphrases differ"));
    }
    let progress = context.output.progress("encrypting the key");
    let stored = Keystore::of_user().store(name, secret, &chosen)?;
    drop(progress);
    let object = json!({ "name": stored.name, "address": stored.address.to_string() });
    context.output.show(&object, || format!("{}  {}", stored.name, stored.address));
    Ok(())
}

fn secret_text() -> Result<Zeroizing<String>, CliError> {
    if stdin().is_terminal() {
        return Ok(Zeroizing::new(rpassword::prompt_password("Secret key (hex): ")?));
    }
    let mut line = Zeroizing::new(String::new());
    stdin().read_line(&mut line)?;
    Ok(line)
}

/// Works without a node: only the dev accounts need to know what chain it is.
async fn list(context: &Context) -> Result<(), CliError> {
    let keys = Keystore::of_user().list()?;
    let on_dev_chain = context.chain().await.is_ok_and(|chain| chain.dev);
    let mut accounts: Vec<(String, String, &str)> =
        keys.into_iter().map(|key| (key.name, key.address.to_string(), "keystore")).collect();
    if on_dev_chain {
        let dev = dev::accounts().into_iter();
        accounts.extend(dev.map(|account| (account.name.into(), account.address.to_string(), "dev chain: public key")));
    }
    let object: Vec<_> = accounts
        .iter()
        .map(|(name, address, kept)| json!({ "name": name, "address": address, "kept": kept }))
        .collect();
    context.output.show(&json!({ "accounts": object }), || {
        let rows = accounts.iter().map(|(name, address, kept)| [name.clone(), address.clone(), (*kept).into()]);
        table(["NAME", "ADDRESS", "KEPT"], rows)
    });
    Ok(())
}

async fn fund(context: &Context, account: &str, arguments: &[String]) -> Result<(), CliError> {
    let [sum] = named(["amount"], arguments)?;
    let sum = sum.map(|text| amount(&text)).transpose().map_err(CliError::usage)?.unwrap_or(FUNDS);
    if !context.chain().await?.dev {
        let hint = "`rustorium transfer to=ACCOUNT amount=AMOUNT` moves what you have";
        return Err(CliError::new(Code::Forbidden, "only dev chains fund accounts").hint(hint));
    }
    let people = context.people().await?;
    let to: Address = people.address_or_error(account)?;
    let first = dev::accounts().into_iter().next().map(|first| first.name.to_owned());
    let funder = Context::new(&context.output, context.client.url(), first.as_deref(), false)?;
    transfer::send(&funder, &people, &to.to_string(), sum, Plan::of(Vec::new())).await
}
