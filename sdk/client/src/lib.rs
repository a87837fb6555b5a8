//! A client of a Rustorium node: requests over REST, subscriptions that resume, keys and signing.
//!
//! - [`http`]: [`Client`], a method for each kind of request
//! - [`stream`]: events as they happen, across reconnections
//! - [`signer`]: keys, bodies, signatures
//! - [`model`]: what is sent and answered, typed; [`text`]: its ids and numbers in JSON
//!
//! Nothing that a node answers is verified here: that is `rustorium-light`'s work.

pub mod error;
pub mod http;
pub mod model;
pub mod signer;
pub mod stream;
pub mod text;

pub use error::{ClientError, Problem};
pub use http::Client;
pub use signer::{Signer, Terms};
pub use stream::EventStream;
