//! How much of the machine a guest may have.
//!
//! A pipeline may narrow these, never widen them.

use wasmtime::{StoreLimits, StoreLimitsBuilder};

/// The largest component that is loaded. 128 MiB: seven times the largest component seen (Python with its standard library, 18 MB).
pub const COMPONENT_BYTES: usize = 128 << 20;

/// 1 MiB of JSON: what a step returns is read by people and templates; bytes go into registries.
pub(crate) const OUTPUT_BYTES: usize = 1 << 20;

/// 256 KiB of JSON: far more than any schema of inputs that a person could fill in.
pub(crate) const SCHEMA_BYTES: usize = 256 << 10;

/// 8 KiB for one message of an error, as for a message of the log.
pub(crate) const MESSAGE_BYTES: usize = 8 << 10;

/// 5 s to say what a plugin is: a thousand times what the slowest language needs.
pub(crate) const DESCRIBE_TIME: std::time::Duration = std::time::Duration::from_secs(5);

/// 10 ms: how long a guest runs before it gives way to timers and other steps.
pub(crate) const TICK: std::time::Duration = std::time::Duration::from_millis(10);

/// 40 MiB that a guest may hand over in one call: the largest body or file (16 MiB), twice over for
/// lists of lists, and some.
pub(crate) const CALL_BYTES: usize = 40 << 20;

/// 10,000 handles at once; a step that holds more has lost them.
pub(crate) const HANDLES: usize = 10_000;

/// 128 core instances: a Python component has more than 16.
const CORE_INSTANCES: usize = 128;

/// 64 tables, one for each core instance that has functions to call.
const TABLES: usize = 64;

/// 1,000,000 entries: large interpreters have tables of some ten thousand functions.
const TABLE_ENTRIES: usize = 1_000_000;

/// 16 memories: JavaScript components have three.
const MEMORIES: usize = 16;

/// The limits of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that each linear memory of the guest may grow to.
    pub memory_bytes: usize,
}

impl Limits {
    /// 512 MiB: bytes of images stay in the host, so a guest holds documents, not layers.
    pub const STEP: Self = Self { memory_bytes: 512 << 20 };

    /// 128 MiB: interpreters start with some 13 MiB and need a multiple to say their name.
    pub(crate) const DESCRIBE: Self = Self { memory_bytes: 128 << 20 };

    pub(crate) fn of_store(self) -> StoreLimits {
        StoreLimitsBuilder::new()
            .memory_size(self.memory_bytes)
            .instances(CORE_INSTANCES)
            .tables(TABLES)
            .table_elements(TABLE_ENTRIES)
            .memories(MEMORIES)
            .trap_on_grow_failure(true)
            .build()
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::STEP
    }
}
