//! Real brokers, one cluster of each size, shared by all tests.

#[path = "../../../tests/broker/cluster.rs"]
mod brokers;

use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

pub(crate) use brokers::Cluster;

static ONE: OnceLock<RwLock<Cluster>> = OnceLock::new();
static THREE: OnceLock<RwLock<Cluster>> = OnceLock::new();

/// One broker, which stays up.
pub(crate) fn one() -> RwLockReadGuard<'static, Cluster> {
    ONE.get_or_init(|| RwLock::new(Cluster::start("one", 1))).read().unwrap_or_else(PoisonError::into_inner)
}

/// One broker, to be restarted: no other test uses it meanwhile.
pub(crate) fn one_to_myself() -> RwLockWriteGuard<'static, Cluster> {
    ONE.get_or_init(|| RwLock::new(Cluster::start("one", 1))).write().unwrap_or_else(PoisonError::into_inner)
}

/// Three brokers, to be killed.
pub(crate) fn three_to_myself() -> RwLockWriteGuard<'static, Cluster> {
    THREE.get_or_init(|| RwLock::new(Cluster::start("three", 3))).write().unwrap_or_else(PoisonError::into_inner)
}
