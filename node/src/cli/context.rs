//! What a command needs to know of the node, the chain, and the person: asked once, then kept.

use rustorium_client::{Client, Signer, model::Status};
use rustorium_types::{
    abi::Abi,
    code::Code,
    id::{AccountId, Address, ContractId, Hash},
};
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use super::{CliError, Output, names::NameBook, output::nearest};
use crate::{dev, keystore::Keystore};

/// A file with the passphrase, for scripts: secrets are in no argument and no variable.
pub(super) const PASSPHRASE_FILE: &str = "RUSTORIUM_PASSPHRASE_FILE";

/// The surroundings of a command.
pub(crate) struct Context {
    pub(crate) output: Output,
    pub(crate) client: Client,
    from: Option<String>,
    /// The sender's key is not needed: the chain is one for development.
    pub(crate) impersonates: bool,
    status: OnceCell<Status>,
}

impl Context {
    pub(crate) fn new(output: &Output, node: &str, from: Option<&str>, impersonates: bool) -> Result<Self, CliError> {
        let client = Client::new(node)?;
        let from = from.map(Into::into);
        Ok(Self { output: output.clone(), client, from, impersonates, status: OnceCell::new() })
    }

    /// What the node knew of its chain when this command began.
    pub(crate) async fn chain(&self) -> Result<&Status, CliError> {
        Ok(self.status.get_or_try_init(|| self.client.status()).await?)
    }

    /// The contract of a name or an address.
    pub(crate) async fn contract(&self, text: &str) -> Result<ContractId, CliError> {
        match text.parse() {
            Ok(Address::Contract(contract)) => Ok(contract),
            Ok(Address::Account(_)) => Err(CliError::usage(format!("{text} is an account; a contract is needed"))),
            Err(_) => NameBook::open()?.find(text, &self.chain().await?.genesis_hash),
        }
    }

    /// A contract and what it offers.
    pub(crate) async fn contract_and_abi(&self, text: &str) -> Result<(ContractId, Abi), CliError> {
        let contract = self.contract(text).await?;
        Ok((contract, self.client.abi(contract).await?))
    }

    /// Everybody who has a name here.
    pub(crate) async fn people(&self) -> Result<People, CliError> {
        let chain = self.chain().await?;
        Ok(People { dev: chain.dev, genesis: chain.genesis_hash, book: NameBook::open()?, keys: Keystore::of_user() })
    }

    /// The account that sends.
    pub(crate) async fn sender(&self) -> Result<AccountId, CliError> {
        let people = self.people().await?;
        let Some(from) = &self.from else {
            let first = people.dev.then(dev::accounts).and_then(|accounts| accounts.into_iter().next());
            return first.map(|account| account.address).ok_or_else(|| {
                CliError::usage("who sends? give `--from ACCOUNT`, or set RUSTORIUM_FROM")
                    .hint("`rustorium account new NAME` makes an account")
            });
        };
        match people.address_or_error(from)? {
            Address::Account(account) => Ok(account),
            Address::Contract(_) => Err(CliError::usage(format!("`{from}` is a contract; only accounts send"))),
        }
    }

    /// The key of the account that sends; asks for the passphrase where one is needed.
    pub(crate) async fn signer(&self) -> Result<Signer, CliError> {
        let account = self.sender().await?;
        let people = self.people().await?;
        if people.dev
            && let Some(known) = dev::accounts().into_iter().find(|known| known.address == account)
        {
            return Ok(Signer::from_secret(&known.secret_key));
        }
        let stored = people.keys.list()?.into_iter().find(|key| key.address == account).ok_or_else(|| {
            let message = format!("the keystore has no key of {account}");
            CliError::new(Code::NotFound, message).hint("`rustorium account import NAME` takes one in")
        })?;
        let passphrase = passphrase(&format!("Passphrase of {}: ", stored.name))?;
        let _progress = self.output.progress("unlocking the key");
        Ok(people.keys.unlock(&stored.name, &passphrase)?)
    }
}

/// Names of accounts and contracts: dev accounts on a dev chain, keys, the name book.
pub(crate) struct People {
    dev: bool,
    genesis: Hash,
    book: NameBook,
    keys: Keystore,
}

impl People {
    /// The address of a name or of an address' text.
    pub(crate) fn address(&self, text: &str) -> Option<Address> {
        let dev_account = || dev::find(text).filter(|_| self.dev).map(|account| account.address.into());
        let key = || self.keys.find(text).map(Address::Account);
        let contract = || self.book.find(text, &self.genesis).ok().map(Address::Contract);
        text.parse().ok().or_else(dev_account).or_else(key).or_else(contract)
    }

    /// The same, or what could have been meant.
    pub(crate) fn address_or_error(&self, text: &str) -> Result<Address, CliError> {
        self.address(text).ok_or_else(|| {
            let error = CliError::new(Code::NotFound, format!("`{text}` is neither an address nor a known name"));
            let dev_names: Vec<_> =
                if self.dev { dev::accounts().iter().map(|account| account.name).collect() } else { vec![] };
            let keys = self.keys.list().unwrap_or_default();
            let known = dev_names.iter().copied().chain(keys.iter().map(|key| key.name.as_str()));
            match nearest(text, known) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint("`rustorium account list` shows the accounts that have a name"),
            }
        })
    }

    /// The name of an address, or its text.
    pub(crate) fn name(&self, text: &str) -> String {
        let Ok(address) = text.parse::<Address>() else { return text.into() };
        let known = match address {
            Address::Contract(contract) => self.book.name_of(contract).map(Into::into),
            Address::Account(account) => {
                let accounts = if self.dev { dev::accounts() } else { Vec::new() };
                let dev_name =
                    accounts.into_iter().find(|known| known.address == account).map(|known| known.name.to_owned());
                let key = || self.keys.list().ok()?.into_iter().find(|key| key.address == account).map(|key| key.name);
                dev_name.or_else(key)
            }
        };
        known.unwrap_or_else(|| text.into())
    }
}

/// The passphrase of a key: from the file that `RUSTORIUM_PASSPHRASE_FILE` names, or asked for.
pub(crate) fn passphrase(prompt: &str) -> Result<Zeroizing<String>, CliError> {
    if let Some(path) = std::env::var_os(PASSPHRASE_FILE).filter(|path| !path.is_empty()) {
        let text = std::fs::read_to_string(&path).map(Zeroizing::new);
        let text = text.map_err(|error| CliError::usage(format!("{PASSPHRASE_FILE}: {}: {error}", path.display())))?;
        return Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()));
    }
    rpassword::prompt_password(prompt)
        .map(Zeroizing::new)
        .map_err(|_| CliError::usage(format!("a passphrase is needed: run on a terminal, or set {PASSPHRASE_FILE}")))
}
