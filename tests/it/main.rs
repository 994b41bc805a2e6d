//! The program, run as its users run it, against real registries, hostile servers and real guests.
//!
//! One binary: linking is the dear part. Each file is about one noun and stands for itself; each
//! test makes its own world and can run beside any other. Nothing here looks inside the program:
//! what a test knows is what it printed, what it left behind, and how it ended. Only `trouble` also calls
//! the copy itself, thousands of times.
#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "what panics here fails a test, and says where"
)]

mod archives;
mod auth;
mod azure;
mod broken_registry;
mod build;
mod compile_cache;
mod component;
mod content;
mod contract;
mod declared;
mod docs;
mod embedded;
mod files;
mod gate;
mod guest;
mod hands;
mod hog;
mod import;
mod killed;
mod live;
mod matrix;
mod progress;
mod referrers;
mod registry_chain;
mod registry_kill;
mod rooms;
mod run;
mod runs;
mod secrets;
mod signals;
mod store;
mod tidy;
mod trouble;
mod watch;
mod watch_base_image;

use support::TestHost;

/// A world of its own for one test. The compile cache is shared, as it is between runs of a user:
/// tests that are about the cache set their own `WINDLASS_CACHE_DIR`.
fn host() -> TestHost {
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/compile-cache");
    TestHost::new(env!("CARGO_BIN_EXE_windlass"), cache)
}

/// A pipeline with one step, `step`, that uses the guest `guest`; `rest` follows in its table.
fn one_step(guest: &str, rest: &str) -> String {
    let uses = TestHost::guest(guest);
    let head = "schema = 1\n[pipeline]\nname = \"one\"\n";
    format!("{head}\n[[step]]\nid = \"step\"\nuses = \"{uses}\"\n{rest}\n")
}

/// The same with its file `p.toml` in a world of its own.
fn host_with(guest: &str, rest: &str) -> TestHost {
    host().file("p.toml", one_step(guest, rest))
}

/// Runs `p.toml` and returns the outputs of its step, which must succeed.
#[track_caller]
fn outputs(host: &TestHost) -> serde_json::Value {
    let ran = host.run(&["run", "p.toml", "--format", "json"]);
    ran.exits(0);
    ran.finished("step")["outputs"].clone()
}

/// Runs `p.toml`, which must fail, and only says why.
fn fails(host: &TestHost) -> support::Output {
    host.run(&["run", "p.toml", "--quiet"])
}
