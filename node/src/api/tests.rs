//! The API over a real chain: a node in this process, asked through its sockets.

mod contract;
mod graphql;
mod harness;
mod rest;
mod stream;
