//! What consensus needs of a runtime: commonware's tokio one, and in simulations its deterministic one.

use commonware_runtime::{Clock, Metrics, Spawner, Storage};
use rand_core::CryptoRng;

/// A runtime.
pub(crate) trait Runtime: Clock + CryptoRng + Spawner + Storage + Metrics {}

impl<R: Clock + CryptoRng + Spawner + Storage + Metrics> Runtime for R {}
