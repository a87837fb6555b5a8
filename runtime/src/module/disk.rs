//! Compiled modules on disk, so that a node that starts again compiles nothing.
//!
//! ```text
//! directory/ engine fingerprint, hex / code hash, hex
//! file       magic 8 │ blake3 of all behind it 32 │ code bytes 4 │ pages 4 │ table elements 4 │ compiled module
//! ```
//!
//! Numbers are little-endian. The fingerprint covers the engine's version and configuration, the machine's
//! instruction set and our own rewriting, so another node's files are never looked at. Nothing depends on a file
//! being there: one that is missing, cut, altered or of another format is compiled anew and replaced.
//!
//! A compiled module is machine code that will be run, and loading one is `unsafe` for that reason. What is loaded
//! here was written by this program, which the checksum makes sure of as far as accidents go. Whoever can forge a
//! file with its checksum can write to the node's data directory, and needs no contract to harm the node.
#![expect(unsafe_code, reason = "loading machine code that this program compiled")]

use std::{io, sync::Arc};

use rustorium_types::id::Hash;
use wasmtime::{Engine, Module};

use crate::{instrument, validate::Facts};

/// The start of every file; the digit is the format's version.
const MAGIC: &[u8; 8] = b"rustmod1";
const CHECKSUM_BYTES: usize = 32;
const FACTS_BYTES: usize = 12;

/// Where compiled modules are kept: a [`Directory`](super::Directory), or a simulated machine's disk.
pub trait ModuleDisk: Send + Sync {
    /// What was kept under a name; after a power loss any part of it.
    ///
    /// # Errors
    /// When there is nothing, or it cannot be read.
    fn load(&self, name: &str) -> io::Result<Vec<u8>>;

    /// Keeps a file under a name, in the place of an older one: a reader sees all of the one or of the other.
    ///
    /// # Errors
    /// When the disk fails or is full.
    fn store(&self, name: &str, file: &[u8]) -> io::Result<()>;
}

/// The files of one engine.
pub(crate) struct Kept {
    disk: Arc<dyn ModuleDisk>,
    fingerprint: String,
}

impl Kept {
    /// Those that this engine compiled.
    pub(crate) fn new(disk: Arc<dyn ModuleDisk>, engine: &Engine) -> Self {
        Self { disk, fingerprint: fingerprint(engine) }
    }

    fn name(&self, code: &Hash) -> String {
        format!("{}/{}", self.fingerprint, blake3::Hash::from_bytes(code.0).to_hex())
    }

    /// The compiled module of a code, if its file is there and sound.
    pub(crate) fn load(&self, code: &Hash, engine: &Engine) -> Option<(Module, Facts)> {
        let file = self.disk.load(&self.name(code)).ok()?;
        let body = file.strip_prefix(MAGIC)?;
        let (checksum, body) = body.split_at_checked(CHECKSUM_BYTES)?;
        if checksum != blake3::hash(body).as_bytes() {
            tracing::warn!(%code, "a compiled module on disk is damaged; compiling it again");
            return None;
        }
        let (facts, compiled) = body.split_at_checked(FACTS_BYTES)?;
        // SAFETY: the bytes are what `store` kept: the checksum says so, and only this program keeps any.
        let module = unsafe { Module::deserialize(engine, compiled) };
        match module {
            Ok(module) => Some((module, read_facts(facts)?)),
            Err(error) => {
                tracing::warn!(%code, error = format!("{error:#}"), "a compiled module on disk does not load");
                None
            }
        }
    }

    /// Keeps a compiled module. Failing to is no failure: it will be compiled again.
    pub(crate) fn store(&self, code: &Hash, facts: &Facts, compiled: &[u8]) {
        if let Err(error) = self.try_store(code, facts, compiled) {
            tracing::warn!(%code, %error, "a compiled module could not be kept on disk");
        }
    }

    fn try_store(&self, code: &Hash, facts: &Facts, compiled: &[u8]) -> io::Result<()> {
        let mut body = Vec::with_capacity(FACTS_BYTES + compiled.len());
        for fact in [facts.code_bytes, facts.memory_pages, facts.table_elements] {
            body.extend_from_slice(&fact.to_le_bytes());
        }
        body.extend_from_slice(compiled);
        let mut file = Vec::with_capacity(MAGIC.len() + CHECKSUM_BYTES + body.len());
        file.extend_from_slice(MAGIC);
        file.extend_from_slice(blake3::hash(&body).as_bytes());
        file.extend_from_slice(&body);
        self.disk.store(&self.name(code), &file)
    }
}

fn read_facts(bytes: &[u8]) -> Option<Facts> {
    let mut numbers = bytes.chunks_exact(4).map(|bytes| bytes.try_into().map(u32::from_le_bytes).ok());
    let mut next = || numbers.next().flatten();
    Some(Facts { code_bytes: next()?, memory_pages: next()?, table_elements: next()? })
}

/// Names everything that decides what is compiled from a code.
fn fingerprint(engine: &Engine) -> String {
    struct Hasher(blake3::Hasher);

    impl std::hash::Hasher for Hasher {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }

        fn finish(&self) -> u64 {
            u64::from_le_bytes(*self.0.finalize().as_bytes().first_chunk().unwrap_or(&[0; 8]))
        }
    }

    let mut hasher = Hasher(blake3::Hasher::new());
    std::hash::Hash::hash(&engine.precompile_compatibility_hash(), &mut hasher);
    hasher.0.update(&instrument::VERSION.to_le_bytes());
    hasher.0.finalize().to_hex()[..32].to_owned()
}
