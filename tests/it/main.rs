//! The program, run as its users run it, against real registries, hostile servers and real guests.
//!
//! One binary: linking is the dear part. Each file is about one noun and stands for itself; each
//! test makes its own world and can run beside any other. Nothing here looks inside the program:
//! what a test knows is what it printed, what it left behind, and how it ended.
#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "what panics here fails a test, and says where"
)]

mod broken_registry;
mod contract;
mod declared;
mod docs;
mod files;
mod guest;
mod registry_chain;
mod run;
mod secrets;
mod tidy;

use support::TestHost;

/// A world of its own for one test. The compile cache is shared, as it is between runs of a user:
/// tests that are about the cache set their own `WINDLASS_CACHE_DIR`.
fn host() -> TestHost {
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/compile-cache");
    TestHost::new(env!("CARGO_BIN_EXE_windlass"), cache)
}
