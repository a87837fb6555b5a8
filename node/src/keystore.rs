//! Accounts' secret keys at rest: one encrypted file each, readable by their owner alone.
//!
//! ```text
//! DIR/NAME.json   { version 1, name, address, publicKey,
//!                   kdf { algorithm "argon2id", salt, memoryKib, passes, lanes },
//!                   cipher { algorithm "chacha20poly1305", nonce, ciphertext } }
//! key = argon2id(passphrase, salt)        ciphertext = seal(key, nonce, secret key; associated data: address)
//! ```
//!
//! Invariants: a file is mode 0600 from its first byte and refused if others may read it; a name is never
//! taken twice; the address is bound into the ciphertext, so that a file with a swapped address does not open.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::{
    ChaCha20Poly1305,
    aead::{Aead, KeyInit, Payload},
};
use rustorium_client::{Signer, text};
use rustorium_types::id::AccountId;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

/// The version of the files that this software writes.
const VERSION: u16 = 1;
/// RFC 9106's second recommended choice of costs, for memory of 64 MiB, on one lane.
const COSTS: Costs = Costs { memory_kib: 64 << 10, passes: 3, lanes: 1 };
/// What a file may ask for at the most, so that a hostile one does not exhaust the machine.
const COSTS_LIMIT: Costs = Costs { memory_kib: 1 << 20, passes: 64, lanes: 16 };
/// Bytes of a name at the most.
const NAME_BYTES: usize = 64;

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Costs {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    version: u16,
    name: String,
    #[serde(with = "text")]
    address: AccountId,
    #[serde(with = "text::hex")]
    public_key: Vec<u8>,
    kdf: Kdf,
    cipher: Cipher,
}

#[derive(Serialize, Deserialize)]
struct Kdf {
    algorithm: String,
    #[serde(with = "text::hex")]
    salt: Vec<u8>,
    #[serde(flatten)]
    costs: Costs,
}

#[derive(Serialize, Deserialize)]
struct Cipher {
    algorithm: String,
    #[serde(with = "text::hex")]
    nonce: Vec<u8>,
    #[serde(with = "text::hex")]
    ciphertext: Vec<u8>,
}

/// A key in the store, still locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    /// Its name.
    pub name: String,
    /// Its account.
    pub address: AccountId,
}

/// A folder of keys.
#[derive(Clone, Debug)]
pub struct Keystore {
    directory: PathBuf,
    costs: Costs,
}

impl std::fmt::Debug for Costs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} KiB, {} passes, {} lanes", self.memory_kib, self.passes, self.lanes)
    }
}

/// Why a key cannot be kept or used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeystoreError {
    /// The system refuses.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no such key.
    #[error("there is no key `{0}` in the keystore")]
    NotFound(String),
    /// The name is taken.
    #[error("there is a key `{0}` already")]
    Exists(String),
    /// The name cannot be a file's.
    #[error(
        "a key's name has 1 to {NAME_BYTES} letters, digits, `-` and `_`, and begins with a letter; `{0}` does not"
    )]
    Name(String),
    /// Others may read the file.
    #[error("{} can be read by others; `chmod 600` it, and take a new key if this one may have been copied", .0.display())]
    Exposed(PathBuf),
    /// It is not a file of the keystore.
    #[error("{} is no key that this version knows", .0.display())]
    Format(PathBuf),
    /// The passphrase is another, or the file was altered.
    #[error("this passphrase does not open the key `{0}`")]
    Passphrase(String),
    /// The system has no randomness.
    #[error("the system has no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
}

impl Keystore {
    /// The keystore of a folder, which is made when the first key is.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), costs: COSTS }
    }

    /// The person's own: `RUSTORIUM_KEYSTORE`, or `rustorium/keys` in the folder for programs' data.
    pub fn of_user() -> Self {
        let folder = |variable: &str| std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
        let data = || folder("XDG_DATA_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/share")));
        let directory = folder("RUSTORIUM_KEYSTORE")
            .or_else(|| data().map(|data| data.join("rustorium/keys")))
            .unwrap_or_else(|| PathBuf::from(".rustorium/keys"));
        Self::new(directory)
    }

    /// Encrypts a secret key under a name.
    ///
    /// # Errors
    /// If the name is taken or none, or the file cannot be written.
    pub fn store(&self, name: &str, secret: &[u8; 32], passphrase: &str) -> Result<StoredKey, KeystoreError> {
        let path = self.path(name)?;
        let signer = Signer::from_secret(secret);
        let address = signer.account();
        let mut salt = vec![0; 16];
        let mut nonce = [0; 12];
        getrandom::fill(&mut salt)?;
        getrandom::fill(&mut nonce)?;
        let key = derive(passphrase, &salt, self.costs).ok_or_else(|| KeystoreError::Format(path.clone()))?;
        let ciphertext = ChaCha20Poly1305::new((&*key).into())
            .encrypt((&nonce).into(), Payload { msg: secret, aad: &address.0 })
            .map_err(|_| KeystoreError::Format(path.clone()))?;
        let file = File {
            version: VERSION,
            name: name.into(),
            address,
            public_key: signer.public_key().to_vec(),
            kdf: Kdf { algorithm: "argon2id".into(), salt, costs: self.costs },
            cipher: Cipher { algorithm: "chacha20poly1305".into(), nonce: nonce.to_vec(), ciphertext },
        };
        self.write(&path, name, &file)?;
        Ok(StoredKey { name: name.into(), address })
    }

    fn write(&self, path: &Path, name: &str, file: &File) -> Result<(), KeystoreError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| KeystoreError::File { path, source }
        };
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory);
        made.map_err(failed(&self.directory))?;
        let opened = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let mut opened = match opened {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(KeystoreError::Exists(name.into()));
            }
            opened => opened.map_err(failed(path))?,
        };
        let text = serde_json::to_string_pretty(file).map_err(|_| KeystoreError::Format(path.into()))? + "\n";
        io::Write::write_all(&mut opened, text.as_bytes()).and_then(|()| opened.sync_all()).map_err(failed(path))
    }

    /// The keys, by name.
    ///
    /// # Errors
    /// If the folder or a key in it cannot be read.
    pub fn list(&self) -> Result<Vec<StoredKey>, KeystoreError> {
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(KeystoreError::File { path: self.directory.clone(), source }),
        };
        let mut keys = Vec::new();
        for entry in entries.flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                let File { name, address, .. } = read(&path)?;
                keys.push(StoredKey { name, address });
            }
        }
        keys.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(keys)
    }

    /// The account of a name, without unlocking it.
    pub fn find(&self, name: &str) -> Option<AccountId> {
        let path = self.path(name).ok()?;
        read(&path).ok().map(|file| file.address)
    }

    /// Decrypts a key.
    ///
    /// # Errors
    /// If there is none of the name, the passphrase is another, or the file is exposed or altered.
    pub fn unlock(&self, name: &str, passphrase: &str) -> Result<Signer, KeystoreError> {
        Ok(Signer::from_secret(&*self.secret(name, passphrase)?))
    }

    /// Decrypts a key that signs no transactions.
    ///
    /// # Errors
    /// As [`Keystore::unlock`].
    pub fn secret(&self, name: &str, passphrase: &str) -> Result<Zeroizing<[u8; 32]>, KeystoreError> {
        let path = self.path(name)?;
        if !path.exists() {
            return Err(KeystoreError::NotFound(name.into()));
        }
        let file = read(&path)?;
        let refused = || KeystoreError::Passphrase(name.into());
        let costs = file.kdf.costs;
        let bounded = costs.memory_kib <= COSTS_LIMIT.memory_kib
            && costs.passes <= COSTS_LIMIT.passes
            && costs.lanes <= COSTS_LIMIT.lanes;
        let nonce: [u8; 12] = file.cipher.nonce.try_into().map_err(|_| KeystoreError::Format(path.clone()))?;
        if !bounded || file.kdf.algorithm != "argon2id" || file.cipher.algorithm != "chacha20poly1305" {
            return Err(KeystoreError::Format(path));
        }
        let key = derive(passphrase, &file.kdf.salt, costs).ok_or(KeystoreError::Format(path))?;
        let payload = Payload { msg: &file.cipher.ciphertext, aad: &file.address.0 };
        let opened = ChaCha20Poly1305::new((&*key).into()).decrypt((&nonce).into(), payload);
        let opened = Zeroizing::new(opened.map_err(|_| refused())?);
        let secret = Zeroizing::new(<[u8; 32]>::try_from(opened.as_slice()).map_err(|_| refused())?);
        let signer = Signer::from_secret(&secret);
        if signer.account() == file.address { Ok(secret) } else { Err(refused()) }
    }

    fn path(&self, name: &str) -> Result<PathBuf, KeystoreError> {
        let fits = name.len() <= NAME_BYTES
            && name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if fits { Ok(self.directory.join(format!("{name}.json"))) } else { Err(KeystoreError::Name(name.into())) }
    }
}

fn read(path: &Path) -> Result<File, KeystoreError> {
    let failed = |source| KeystoreError::File { path: path.into(), source };
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(KeystoreError::Exposed(path.into()));
    }
    let text = fs::read_to_string(path).map_err(failed)?;
    let file: File = serde_json::from_str(&text).map_err(|_| KeystoreError::Format(path.into()))?;
    if file.version == VERSION { Ok(file) } else { Err(KeystoreError::Format(path.into())) }
}

fn derive(passphrase: &str, salt: &[u8], costs: Costs) -> Option<Zeroizing<[u8; 32]>> {
    let params = Params::new(costs.memory_kib, costs.passes, costs.lanes, Some(32)).ok()?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), salt, &mut *key)
        .ok()?;
    Some(key)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn keystore(directory: &Path) -> Keystore {
        Keystore { directory: directory.join("keys"), costs: Costs { memory_kib: 64, passes: 1, lanes: 1 } }
    }

    #[test]
    fn a_key_comes_back_with_its_passphrase_only() {
        let directory = tempfile::tempdir().unwrap();
        let keystore = keystore(directory.path());
        let stored = keystore.store("carla", &[7; 32], "correct horse").unwrap();
        assert_eq!(stored.address, Signer::from_secret(&[7; 32]).account());
        assert_eq!(keystore.unlock("carla", "correct horse").unwrap().account(), stored.address);
        assert!(matches!(keystore.unlock("carla", "battery staple"), Err(KeystoreError::Passphrase(_))));
        assert!(matches!(keystore.unlock("carl", ""), Err(KeystoreError::NotFound(_))));
        assert!(matches!(keystore.store("carla", &[8; 32], ""), Err(KeystoreError::Exists(_))));
        assert!(matches!(keystore.store("../x", &[8; 32], ""), Err(KeystoreError::Name(_))));
        assert_eq!(keystore.list().unwrap(), [stored]);
    }

    #[test]
    fn files_are_private_and_say_no_secret() {
        let directory = tempfile::tempdir().unwrap();
        let keystore = keystore(directory.path());
        keystore.store("carla", &[7; 32], "p").unwrap();
        let path = keystore.path("carla").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&keystore.directory).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(!fs::read_to_string(&path).unwrap().contains(&"07".repeat(32)));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(keystore.unlock("carla", "p"), Err(KeystoreError::Exposed(_))));
    }

    #[test]
    fn an_altered_file_does_not_open() {
        let directory = tempfile::tempdir().unwrap();
        let keystore = keystore(directory.path());
        keystore.store("carla", &[7; 32], "p").unwrap();
        let path = keystore.path("carla").unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let other = Signer::from_secret(&[8; 32]).account().to_string();
        let mine = Signer::from_secret(&[7; 32]).account().to_string();
        fs::write(&path, text.replace(&mine, &other)).unwrap();
        assert!(matches!(keystore.unlock("carla", "p"), Err(KeystoreError::Passphrase(_))));
        fs::write(&path, text.replace("\"memoryKib\": 64", "\"memoryKib\": 4294967295")).unwrap();
        assert!(matches!(keystore.unlock("carla", "p"), Err(KeystoreError::Format(_))));
    }
}
