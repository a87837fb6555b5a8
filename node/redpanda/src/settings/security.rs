//! TLS and SASL. Secrets are in files and nowhere else: not in these settings, not in what they print.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rdkafka::config::ClientConfig;

use super::SettingsError;

/// How a connection is protected, and who connects.
#[derive(Clone, Debug, Default)]
pub struct Security {
    /// TLS; none: bytes travel as they are.
    pub tls: Option<Tls>,
    /// A name and a password; none: nobody in particular, or whom the TLS certificate names.
    pub sasl: Option<Sasl>,
}

/// TLS to the brokers. Their names are always checked against their certificates.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// PEM of the authorities that sign the brokers' certificates; none: those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate, where brokers ask for one.
    pub identity: Option<Identity>,
}

/// A certificate and its key.
#[derive(Clone, Debug)]
pub struct Identity {
    /// PEM of the certificate and what it is signed by.
    pub certificate_file: PathBuf,
    /// PEM of the private key.
    pub key_file: PathBuf,
    /// A file with the key's passphrase, if it has one.
    pub passphrase_file: Option<PathBuf>,
}

/// A name and a password.
#[derive(Clone, Debug, Default)]
pub struct Sasl {
    /// How they are shown.
    pub mechanism: Mechanism,
    /// The name.
    pub username: String,
    /// A file with the password; a line end behind it is none of it.
    pub password_file: PathBuf,
}

/// How a password is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mechanism {
    /// As it is: only over TLS.
    #[default]
    Plain,
    /// Proven without being sent (RFC 5802), with SHA-256.
    ScramSha256,
    /// The same with SHA-512.
    ScramSha512,
}

impl Mechanism {
    const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

impl Security {
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        match &self.sasl {
            Some(sasl) if sasl.mechanism == Mechanism::Plain && self.tls.is_none() => {
                Err(SettingsError::PasswordInClear)
            }
            _ => Ok(()),
        }
    }

    /// Writes what librdkafka has to know.
    pub(crate) fn apply(&self, config: &mut ClientConfig) -> Result<(), SettingsError> {
        let protocol = match (&self.tls, &self.sasl) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        };
        config.set("security.protocol", protocol);
        if let Some(tls) = &self.tls {
            config.set("ssl.endpoint.identification.algorithm", "https");
            if let Some(file) = &tls.ca_file {
                config.set("ssl.ca.location", readable(file)?);
            }
            if let Some(identity) = &tls.identity {
                config.set("ssl.certificate.location", readable(&identity.certificate_file)?);
                config.set("ssl.key.location", readable(&identity.key_file)?);
                if let Some(file) = &identity.passphrase_file {
                    config.set("ssl.key.password", secret(file)?);
                }
            }
        }
        if let Some(sasl) = &self.sasl {
            config.set("sasl.mechanism", sasl.mechanism.name());
            config.set("sasl.username", &sasl.username);
            config.set("sasl.password", secret(&sasl.password_file)?);
        }
        Ok(())
    }
}

/// The path of a file that can be read: else the system's own words say why, and librdkafka's would not.
fn readable(path: &Path) -> Result<&str, SettingsError> {
    let failed = |source| SettingsError::File { path: path.to_owned(), source };
    fs::File::open(path).map_err(failed)?;
    path.to_str().ok_or_else(|| failed(std::io::ErrorKind::InvalidFilename.into()))
}

fn secret(path: &Path) -> Result<String, SettingsError> {
    let failed = |source| SettingsError::File { path: path.to_owned(), source };
    let text = fs::read_to_string(path).map_err(failed)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_password_comes_from_its_file_and_is_never_printed() {
        let directory = tempfile::tempdir().unwrap();
        let password_file = directory.path().join("password");
        fs::write(&password_file, "hush hush\n").unwrap();
        let sasl = Sasl { mechanism: Mechanism::ScramSha256, username: "node".to_owned(), password_file };
        let security = Security { tls: None, sasl: Some(sasl) };
        let mut config = ClientConfig::new();
        security.apply(&mut config).unwrap();
        assert_eq!(config.get("sasl.password"), Some("hush hush"));
        assert_eq!(config.get("security.protocol"), Some("sasl_plaintext"));
        assert!(!format!("{security:?} {config:?}").contains("hush"));
    }

    #[test]
    fn a_missing_file_is_named() {
        let ca_file = Some(PathBuf::from("/nowhere/ca.pem"));
        let security = Security { tls: Some(Tls { ca_file, identity: None }), sasl: None };
        let error = security.apply(&mut ClientConfig::new()).unwrap_err();
        assert_eq!(error.to_string(), "/nowhere/ca.pem cannot be read");
    }
}
