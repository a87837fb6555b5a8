//! A block's result and header, certified.
//!
//! Checks go from what is trusted outwards, so that the first error is the first lie:
//!
//! ```text
//! certificate: of the trusted epoch, signed by a quorum on this chain
//! certifier:   hashes to what was signed; this chain; the certificate's epoch; not too old
//! result:      leaf height − 1 of the certifier's `state_height` results; the height that was asked for
//! header:      hashes to what the result names; this chain; the result's height and its epoch
//! ```

use core::time::Duration;

use rustorium_types::{
    block::{BlockResult, Header},
    bundle::HeadProof,
    id::{Hash, Height, Timestamp},
    merkle::InclusionError,
};
use thiserror::Error;

use crate::trust::{CertifiedError, Trust};

/// What a client insists on, beside the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The client's own clock.
    pub now: Timestamp,
    /// How old the certifier's time may be; `None` for any age, as on a chain that is silent when idle.
    pub max_age: Option<Duration>,
    /// Which height it asked for.
    pub height: Wanted,
}

/// Which height a client asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The newest that the certifier covers. With `max_age` this is what keeps a node from serving the past.
    Newest,
    /// This one.
    At(Height),
    /// Whichever the node answers for, as with the block of a receipt.
    Any,
}

/// A height's result and header, which a quorum committed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedHead {
    result: BlockResult,
    header: Header,
    certifier: Header,
    certified_by: Hash,
}

impl VerifiedHead {
    /// The height whose result this is.
    pub const fn height(&self) -> Height {
        self.result.height
    }

    /// What executing the block came to.
    pub const fn result(&self) -> &BlockResult {
        &self.result
    }

    /// The block's header.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The header that validators signed.
    pub const fn certifier(&self) -> &Header {
        &self.certifier
    }

    /// The hash of the header that validators signed.
    pub const fn certified_by(&self) -> Hash {
        self.certified_by
    }
}

/// Why a head is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HeadError {
    /// The certifier is not certified.
    #[error("the certifying header is not certified: {0}")]
    Certifier(CertifiedError),
    /// The certifier is older than the client accepts.
    #[error("the head is {age:?} old; at most {max_age:?} is accepted")]
    TooOld {
        /// Its age by the client's clock.
        age: Duration,
        /// The limit.
        max_age: Duration,
    },
    /// The result is of another height than its place, or than the tree's size allows.
    #[error("the result of height {height} is shown as {index} of {size}, where {state_height} results are certified")]
    Place {
        /// The result's height.
        height: Height,
        /// The leaf that the path is of.
        index: u64,
        /// The size that the path is of.
        size: u64,
        /// The certifier's.
        state_height: Height,
    },
    /// The result is not among the certified ones.
    #[error("the result is not certified: {0}")]
    Result(InclusionError),
    /// Another height was asked for.
    #[error("height {wanted} was asked for, the answer is of height {found}")]
    Height {
        /// What was asked for; the newest certified one if none was.
        wanted: Height,
        /// What was answered.
        found: Height,
    },
    /// The header is not the one that the result names.
    #[error("the result names header {expected}, not {found}")]
    HeaderHash {
        /// What was shown.
        found: Hash,
        /// What the result names.
        expected: Hash,
    },
    /// The header is not of the result's height.
    #[error("the result of height {result} names a header of height {header}")]
    HeaderHeight {
        /// The result's height.
        result: Height,
        /// The header's.
        header: Height,
    },
    /// The header is of another chain or epoch.
    #[error("the header is not of this chain: {0}")]
    Header(CertifiedError),
}

/// Checks that validators committed to a height's result.
///
/// # Errors
///
/// Says which check failed. [`CertifiedError::Epoch`] with a later epoch than the trusted one means that the
/// client must [`follow`](Trust::follow) the chain first.
pub fn verify_head(trust: &Trust, policy: &Policy, proof: &HeadProof) -> Result<VerifiedHead, HeadError> {
    let HeadProof { certificate, certifier, result, result_path, header } = proof;
    let certified_by = trust.certified(certificate, certifier).map_err(HeadError::Certifier)?;
    check_age(policy, certifier.time)?;

    let (height, state_height) = (result.height, certifier.state_height);
    let (index, size) = (result_path.index, result_path.size);
    if size != state_height.0 || height.0.checked_sub(1) != Some(index) {
        return Err(HeadError::Place { height, index, size, state_height });
    }
    let leaf = borsh::to_vec(result).unwrap_or_default();
    result_path.verify(&certifier.results, &leaf).map_err(HeadError::Result)?;
    let wanted = match policy.height {
        Wanted::Newest => state_height,
        Wanted::At(wanted) => wanted,
        Wanted::Any => height,
    };
    if wanted != height {
        return Err(HeadError::Height { wanted, found: height });
    }

    let found = header.hash();
    if found != result.header_hash {
        return Err(HeadError::HeaderHash { found, expected: result.header_hash });
    }
    if header.height != height {
        return Err(HeadError::HeaderHeight { result: height, header: header.height });
    }
    trust.known(header).map_err(HeadError::Header)?;
    Ok(VerifiedHead { result: *result, header: header.clone(), certifier: certifier.clone(), certified_by })
}

fn check_age(policy: &Policy, time: Timestamp) -> Result<(), HeadError> {
    let Some(max_age) = policy.max_age else { return Ok(()) };
    let age = Duration::from_millis(policy.now.0.saturating_sub(time.0));
    if age > max_age { Err(HeadError::TooOld { age, max_age }) } else { Ok(()) }
}
