//! The listener that asks for a name and a password, over TLS.

use std::{path::PathBuf, time::Duration};

use rustorium_redpanda::{
    BrokerError, Mechanism, Offset, RetentionError, Sasl, Security, Settings, SubmitError, Tls, TopicsError,
};

use crate::{
    cluster::{Cluster, one},
    lane::{FIRST, fill, lanes, numbers, settings, until},
};

fn secured(cluster: &Cluster, prefix: &str, mechanism: Mechanism, password: &str) -> Settings {
    let mut settings = settings(&cluster.secure, prefix, 1);
    settings.security = Security {
        tls: Some(Tls { ca_file: Some(cluster.file("ca.pem")), identity: None }),
        sasl: Some(Sasl { mechanism, username: "node".to_owned(), password_file: cluster.file(password) }),
    };
    settings
}

#[test]
fn every_mechanism_is_let_in() {
    let cluster = one();
    cluster.grant();
    for (mechanism, prefix) in [
        (Mechanism::Plain, "node-plain"),
        (Mechanism::ScramSha256, "node-scram256"),
        (Mechanism::ScramSha512, "node-scram512"),
    ] {
        let lanes = lanes(secured(&cluster, prefix, mechanism, "password"));
        // Rights reach a broker in their own time.
        until("let in", || lanes.prepare().is_ok());
        fill(&lanes, FIRST, 0..10);
        let mut consumer = lanes.consume(&[Offset(0)]).unwrap();
        assert_eq!(numbers(&mut consumer, FIRST, 10), (0..10).collect::<Vec<_>>());
        assert_eq!(lanes.delete_below(FIRST, Offset(5)), Ok(Offset(5)));
    }
}

#[test]
fn who_has_no_rights_over_a_topic_is_told_so() {
    let cluster = one();
    let plain = lanes(settings(&cluster.open, "others", 1));
    plain.prepare().unwrap();
    fill(&plain, FIRST, [0]);
    let denied = |error: &BrokerError| error.number() == 29;
    let lanes = lanes(secured(&cluster, "others", Mechanism::ScramSha256, "password"));
    let error = lanes.prepare().unwrap_err();
    assert!(matches!(&error, TopicsError::NotTold { error, .. } if denied(error)), "{error}");
    let error = lanes.submit(FIRST, b"mine").unwrap().wait().unwrap_err();
    assert!(matches!(&error, SubmitError::Refused(error) if denied(error)), "{error}");
    let error = lanes.delete_below(FIRST, Offset(1)).unwrap_err();
    assert!(matches!(&error, RetentionError::Refused { .. }), "{error}");
}

#[test]
fn settings_that_are_not_told_are_not_taken_for_right() {
    let cluster = one();
    cluster.grant();
    lanes(settings(&cluster.open, "seen", 1)).prepare().unwrap();
    let mut secured = secured(&cluster, "seen", Mechanism::ScramSha256, "password");
    secured.timeouts.request = Duration::from_secs(1);
    let lanes = lanes(secured);
    until("seen", || matches!(lanes.prepare(), Err(TopicsError::Untold { topic }) if topic == "seen-0"));
}

/// What lanes that are not let in say of it.
fn refused(mut settings: Settings) -> String {
    settings.timeouts.request = Duration::from_secs(1);
    let lanes = lanes(settings);
    let error = lanes.prepare().unwrap_err();
    assert!(matches!(error, TopicsError::Unavailable { .. }), "{error}");
    error.to_string()
}

#[test]
fn who_is_not_let_in_is_told_why() {
    let cluster = one();
    for mechanism in [Mechanism::Plain, Mechanism::ScramSha256] {
        let said = refused(secured(&cluster, "wrong", mechanism, "password.wrong"));
        assert!(said.contains("Authentication failed"), "{said}");
        assert!(!said.contains("barley"), "{said}");
    }
    let mut strangers = secured(&cluster, "stranger", Mechanism::Plain, "password");
    // Any authority but the broker's.
    strangers.security.tls =
        Some(Tls { ca_file: Some(PathBuf::from("/etc/ssl/certs/ca-certificates.crt")), identity: None });
    let said = refused(strangers);
    assert!(said.contains("certificate verify failed"), "{said}");
    let mut plain = secured(&cluster, "plaintext", Mechanism::ScramSha256, "password");
    plain.security.tls = None;
    refused(plain);
}
