//! The formats of `rustorium-types`, frozen.

mod formats;
