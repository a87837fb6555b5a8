//! TLS 1.3 with raw public keys on both sides, and QUIC's settings.
//!
//! There are no certificates, no names and no authorities: the handshake shows that each side has the private key of
//! the id that it shows (RFC 7250). Whoever dials knows whom, and ends the handshake if somebody else answers. The ALPN
//! protocol is `rustorium/VERSION/GENESIS`, so a peer of another chain or version ends it with QUIC's error 0x178 (RFC
//! 9001, section 8.1). Sessions are not resumed and nothing is sent early, so a recorded handshake is worth nothing.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use quinn::{
    Connection, ConnectionId, ConnectionIdGenerator, IdleTimeout, TransportConfig, VarInt,
    crypto::{
        HmacKey,
        rustls::{NoInitialCipherSuite, QuicClientConfig, QuicServerConfig},
    },
};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::{
        AlwaysResolvesClientRawPublicKeys, Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls13_signature_with_raw_key},
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
    server::{
        AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
};
use rustorium_types::id::Hash;
use thiserror::Error;

use crate::{
    class::Class,
    config::Config,
    identity::{Identity, PeerId},
};

/// The version of what peers say to each other, streams and control messages alike.
pub const PROTOCOL_VERSION: u32 = 1;

/// TLS wants a name; none is sent.
pub(crate) const NO_NAME: &str = "peer";

const CONNECTION_ID_BYTES: usize = 8;

/// Bytes of a stream, and of all streams of a connection, that a peer may send before they are read: what it costs in
/// memory at the most. A stream's is 160 Mbit/s at 50 ms.
const STREAM_WINDOW: u32 = 1 << 20;
const WINDOW: VarInt = VarInt::from_u32(2 << 20);
/// The same of known peers.
pub(crate) const WINDOW_KNOWN: VarInt = VarInt::from_u32(8 << 20);
/// Bytes that wait to be sent and to be acknowledged.
const SEND_WINDOW: u64 = 8 << 20;

/// TLS or QUIC cannot be set up: a bug, or a timeout beyond 2⁶² ms.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// What rustls says.
    #[error("TLS cannot be set up")]
    Rustls(#[from] Error),
    /// The provider lacks what QUIC's first packets are encrypted with.
    #[error("TLS lacks QUIC's initial cipher suite")]
    Cipher(#[from] NoInitialCipherSuite),
    /// The idle timeout does not fit QUIC's integers.
    #[error("the idle timeout is out of range")]
    IdleTimeout(#[from] quinn::VarIntBoundsExceeded),
}

/// Everything that handshakes of a node have in common.
#[derive(Debug)]
pub(crate) struct Tls {
    provider: Arc<CryptoProvider>,
    key: Arc<CertifiedKey>,
    alpn: Vec<u8>,
    transport: Arc<TransportConfig>,
}

impl Tls {
    pub(crate) fn new(identity: &Identity, config: &Config) -> Result<Self, TlsError> {
        let key = ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(identity.pkcs8()))?;
        Ok(Self {
            provider: Arc::new(ring::default_provider()),
            key: Arc::new(CertifiedKey::new(vec![CertificateDer::from(identity.id().to_spki())], key)),
            alpn: alpn(PROTOCOL_VERSION, &config.chain),
            transport: Arc::new(transport(config)?),
        })
    }

    /// What answers: any ed25519 key may come; who is taken is decided when it is known who it is.
    pub(crate) fn server(&self) -> Result<quinn::ServerConfig, TlsError> {
        let mut config = rustls::ServerConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(Arc::new(self.verifier(None)))
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(self.key.clone())));
        config.alpn_protocols = vec![self.alpn.clone()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        let mut server = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(config)?));
        // A peer that moves comes again. First packets that wait to be looked at are bounded by themselves.
        server
            .transport_config(self.transport.clone())
            .migration(false)
            .max_incoming(1_024)
            .incoming_buffer_size(16 << 10)
            .incoming_buffer_size_total(4 << 20);
        Ok(server)
    }

    /// What dials a peer, and where it says who answered in its place.
    pub(crate) fn client(&self, peer: PeerId) -> Result<(quinn::ClientConfig, Arc<OnceLock<PeerId>>), TlsError> {
        let verifier = Arc::new(self.verifier(Some(peer)));
        let found = verifier.found.clone();
        let mut config = rustls::ClientConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(self.key.clone())));
        config.alpn_protocols = vec![self.alpn.clone()];
        config.enable_sni = false;
        config.resumption = Resumption::disabled();
        let mut client = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(config)?));
        client.transport_config(self.transport.clone());
        Ok((client, found))
    }

    fn verifier(&self, expected: Option<PeerId>) -> Verifier {
        let algorithms = self.provider.signature_verification_algorithms;
        Verifier { expected, found: Arc::default(), algorithms }
    }
}

/// The protocol's name, which holds the chain's.
pub(crate) fn alpn(version: u32, chain: &Hash) -> Vec<u8> {
    format!("rustorium/{version}/{chain}").into_bytes()
}

/// Who is at the other end, when the handshake is done.
pub(crate) fn peer_of(connection: &Connection) -> Option<PeerId> {
    let keys = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    PeerId::from_spki(keys.first()?)
}

fn transport(config: &Config) -> Result<TransportConfig, TlsError> {
    let requests: usize = config.classes.iter().map(|limits| limits.requests).sum();
    let mut transport = TransportConfig::default();
    transport
        // One of each class, and the control stream.
        .max_concurrent_uni_streams(VarInt::from_u32(Class::COUNT as u32 + 1))
        // Some of them may be cancelled and not all gone yet.
        .max_concurrent_bidi_streams(VarInt::from_u32(u32::try_from(requests * 2).unwrap_or(u32::MAX)))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(WINDOW)
        .send_window(SEND_WINDOW)
        .datagram_receive_buffer_size(None)
        .max_idle_timeout(Some(IdleTimeout::try_from(config.idle_timeout)?))
        .keep_alive_interval(Some(config.keep_alive));
    Ok(transport)
}

/// Checks the other side's key: that it is an ed25519 key, and the one that was dialled.
#[derive(Debug)]
struct Verifier {
    expected: Option<PeerId>,
    /// Who answered in the place of the one expected.
    found: Arc<OnceLock<PeerId>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    fn check(&self, spki: &CertificateDer<'_>) -> Result<(), Error> {
        let peer = PeerId::from_spki(spki).ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))?;
        match self.expected {
            Some(expected) if expected != peer => {
                _ = self.found.set(peer);
                Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
            }
            _ => Ok(()),
        }
    }

    fn check_signature(
        &self,
        message: &[u8],
        spki: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = SubjectPublicKeyInfoDer::from(spki.as_ref());
        verify_tls13_signature_with_raw_key(message, &key, signature, &self.algorithms)
    }
}

const OLD_TLS: Error = Error::PeerIncompatible(rustls::PeerIncompatible::Tls13RequiredForQuic);

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        spki: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(spki).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(OLD_TLS)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        spki: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, spki, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        spki: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(spki).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(OLD_TLS)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        spki: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, spki, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// Connection ids: eight bytes that nobody can foresee. quinn's own can be told from those of an earlier start, and
/// packets with those are dropped without the reset that a restarted node owes its peers.
pub(crate) struct ConnectionIds {
    key: [u8; 32],
    made: u64,
}

impl ConnectionIds {
    /// For a start of a node, which its instance names.
    pub(crate) fn new(identity: &Identity, instance: u64) -> Self {
        let secret = identity.derived("rustorium connection ids");
        Self { key: *blake3::keyed_hash(&secret, &instance.to_le_bytes()).as_bytes(), made: 0 }
    }
}

impl ConnectionIdGenerator for ConnectionIds {
    fn generate_cid(&mut self) -> ConnectionId {
        self.made += 1;
        let hash = blake3::keyed_hash(&self.key, &self.made.to_le_bytes());
        ConnectionId::new(&hash.as_bytes()[..CONNECTION_ID_BYTES])
    }

    fn cid_len(&self) -> usize {
        CONNECTION_ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// What stateless resets are made with (RFC 9000, section 10.3): derived from the identity, so that a node which was
/// killed and started again tells its peers at once that their connections are gone.
pub(crate) struct ResetKey([u8; 32]);

impl ResetKey {
    pub(crate) fn new(identity: &Identity) -> Self {
        Self(identity.derived("rustorium stateless reset"))
    }
}

impl HmacKey for ResetKey {
    fn sign(&self, data: &[u8], signature: &mut [u8]) {
        let hash = blake3::keyed_hash(&self.0, data);
        for (to, from) in signature.iter_mut().zip(hash.as_bytes()) {
            *to = *from;
        }
    }

    fn signature_len(&self) -> usize {
        32
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), quinn::crypto::CryptoError> {
        // Compared in constant time.
        let found = <[u8; 32]>::try_from(signature).map_err(|_| quinn::crypto::CryptoError)?;
        if blake3::keyed_hash(&self.0, data) == found { Ok(()) } else { Err(quinn::crypto::CryptoError) }
    }
}
