//! The name book: contracts by the names that they were deployed under, beside the project.
//!
//! ```text
//! PROJECT/.rustorium/names.json   { "GENESIS HASH": { "NAME": "con1…", … }, … }
//! ```
//!
//! A name means something on one chain only, so every name stands under its chain's genesis hash; that hash
//! was learned when the person deployed, which is why `--verify` trusts it. The project is the nearest folder
//! upwards with a `.rustorium`, else the nearest with a `Cargo.toml`, else the working folder.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use rustorium_types::{
    code::Code,
    id::{ContractId, Hash},
};
use serde::{Deserialize, Serialize};

use super::{CliError, output::nearest};

/// The folder of a project's own state.
pub(crate) const FOLDER: &str = ".rustorium";
const FILE: &str = "names.json";

/// The names of a project's contracts, by chain.
#[derive(Clone, Debug, Default)]
pub(crate) struct NameBook {
    path: PathBuf,
    chains: BTreeMap<String, BTreeMap<String, Name>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct Name(#[serde(with = "rustorium_client::text")] ContractId);

/// The project's folder for its own state; it need not exist.
pub(crate) fn project_folder(from: &Path) -> PathBuf {
    let above = |name: &str| from.ancestors().find(|folder| folder.join(name).exists());
    above(FOLDER).or_else(|| above("Cargo.toml")).unwrap_or(from).join(FOLDER)
}

impl NameBook {
    /// The book of the project that the working folder is in.
    pub(crate) fn open() -> Result<Self, CliError> {
        Self::read(project_folder(&std::env::current_dir()?).join(FILE))
    }

    fn read(path: PathBuf) -> Result<Self, CliError> {
        let chains = match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text)
                .map_err(|error| CliError::usage(format!("{} is no name book: {error}", path.display())))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(CliError::from(error)),
        };
        Ok(Self { path, chains })
    }

    /// The contract of a name on a chain.
    ///
    /// # Errors
    /// `NOT_FOUND`, saying on which chain the name is known, or which name is near.
    pub(crate) fn find(&self, name: &str, genesis: &Hash) -> Result<ContractId, CliError> {
        if let Some(Name(contract)) = self.names(genesis).and_then(|names| names.get(name)) {
            return Ok(*contract);
        }
        let elsewhere: Vec<&str> =
            self.chains.iter().filter(|(_, names)| names.contains_key(name)).map(|(chain, _)| chain.as_str()).collect();
        if !elsewhere.is_empty() {
            let message = format!("`{name}` is a contract of chain {}; this is chain {genesis}", elsewhere.join(", "));
            return Err(CliError::new(Code::NotFound, message).hint("deploy it here, or ask a node of that chain"));
        }
        let error = CliError::new(Code::NotFound, format!("there is no contract named `{name}` in the name book"));
        let known = self.names(genesis).into_iter().flatten().map(|(known, _)| known.as_str());
        Err(match nearest(name, known) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint("name it at `rustorium deploy PATH --name NAME`, or give its address"),
        })
    }

    /// The name of a contract.
    pub(crate) fn name_of(&self, contract: ContractId) -> Option<&str> {
        let mut names = self.chains.values().flatten();
        names.find(|(_, Name(known))| *known == contract).map(|(name, _)| name.as_str())
    }

    /// The chain on which the book knows a contract: what a verified read may trust.
    pub(crate) fn chain_of(&self, contract: ContractId) -> Option<Hash> {
        let mut chains = self.chains.iter();
        let (chain, _) = chains.find(|(_, names)| names.values().any(|Name(known)| *known == contract))?;
        chain.parse().ok()
    }

    /// Whether a name is taken on a chain.
    pub(crate) fn has(&self, name: &str, genesis: &Hash) -> bool {
        self.names(genesis).is_some_and(|names| names.contains_key(name))
    }

    /// Writes a name down, in place of any other contract of that name on the same chain.
    pub(crate) fn insert(&mut self, name: &str, genesis: &Hash, contract: ContractId) -> Result<(), CliError> {
        // Another command may have written since this one read.
        self.chains = Self::read(self.path.clone())?.chains;
        self.chains.entry(genesis.to_string()).or_default().insert(name.into(), Name(contract));
        let text = serde_json::to_string_pretty(&self.chains)? + "\n";
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let temporary = self.path.with_extension(format!("json.{}", std::process::id()));
        fs::write(&temporary, text)?;
        Ok(fs::rename(&temporary, &self.path)?)
    }

    fn names(&self, genesis: &Hash) -> Option<&BTreeMap<String, Name>> {
        self.chains.get(&genesis.to_string())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn names_belong_to_their_chain() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FOLDER).join(FILE);
        let (here, there) = (Hash([1; 32]), Hash([2; 32]));
        let contract = ContractId([3; 32]);
        NameBook::read(path.clone()).unwrap().insert("token", &here, contract).unwrap();
        let book = NameBook::read(path).unwrap();
        assert_eq!(book.find("token", &here).unwrap(), contract);
        assert_eq!((book.name_of(contract), book.chain_of(contract)), (Some("token"), Some(here)));
        let text = book.find("token", &there).unwrap_err().text();
        assert!(text.contains(&here.to_string()) && text.contains(&there.to_string()), "{text}");
        assert!(book.find("tokn", &here).unwrap_err().text().contains("did you mean `token`?"));
    }

    #[test]
    fn the_project_is_the_nearest_folder_that_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let inside = directory.path().join("project/src");
        fs::create_dir_all(&inside).unwrap();
        fs::write(directory.path().join("project/Cargo.toml"), "").unwrap();
        assert_eq!(project_folder(&inside), directory.path().join("project").join(FOLDER));
        fs::create_dir(directory.path().join(FOLDER)).unwrap();
        assert_eq!(project_folder(&inside), directory.path().join(FOLDER));
    }
}
