//! Those who break the rules, or seem to.

pub(crate) mod equivocator;
pub(crate) mod silent;
pub(crate) mod slow;
pub(crate) mod two_faced;
