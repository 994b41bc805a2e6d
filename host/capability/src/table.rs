//! The one table of all capabilities.
//!
//! `plugin inspect`, the README's grant table and the linker of the sandbox read it; tests hold it
//! against the WIT files, so that a capability without a row, or a row without a contract, cannot be.

/// One row: something the host can give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability {
    /// The interface that a component imports, with its package and version.
    pub interface: &'static str,
    /// The key under `[step.grant]`, none where no grant is needed.
    pub grant: Option<&'static str>,
    /// The file under `wit/deps` that defines it.
    pub wit: &'static str,
    /// One line for the README and `plugin inspect`.
    pub doc: &'static str,
}

/// Every capability, in the order in which people are shown them.
pub const CAPABILITIES: &[Capability] = &[
    Capability {
        interface: "windlass:log/log@0.1.0",
        grant: None,
        wit: "log/log.wit",
        doc: "messages, groups and progress; always there",
    },
    Capability {
        interface: "windlass:http/http@0.1.0",
        grant: Some("http"),
        wit: "http/http.wit",
        doc: "requests to the hosts of the rules, with tokens of `identity`; also for `wasi:http`",
    },
    Capability {
        interface: "windlass:secrets/secrets@0.1.0",
        grant: Some("secrets"),
        wit: "secrets/secrets.wit",
        doc: "`use` a secret without seeing it, `write` one into the local store",
    },
    Capability {
        interface: "windlass:secrets/reveal@0.1.0",
        grant: Some("secrets.reveal"),
        wit: "secrets/secrets.wit",
        doc: "see the bytes of a secret; every use is recorded",
    },
    Capability {
        interface: "windlass:oci/oci@0.1.0",
        grant: Some("oci"),
        wit: "oci/oci.wit",
        doc: "`pull`, `push` and `delete` in the repositories that the patterns name",
    },
    Capability {
        interface: "windlass:state/state@0.1.0",
        grant: Some("state"),
        wit: "state/state.wit",
        doc: "a little memory from run to run",
    },
    Capability {
        interface: "windlass:workspace/workspace@0.1.0",
        grant: Some("workspace"),
        wit: "workspace/workspace.wit",
        doc: "`read` and `write` files in the folders that are named; also for `wasi:filesystem`",
    },
    Capability {
        interface: "windlass:build/build@0.1.0",
        grant: Some("exec"),
        wit: "build/build.wit",
        doc: "images from files; commands with `exec.run`, their network with `exec.network`",
    },
];

/// Every key that may stand under `[step.grant]`, or in a request of a plugin's `describe`.
pub const GRANT_KEYS: [&str; 13] = [
    "http",
    "identity",
    "secrets.use",
    "secrets.reveal",
    "secrets.write",
    "oci.pull",
    "oci.push",
    "oci.delete",
    "state",
    "workspace.read",
    "workspace.write",
    "exec.run",
    "exec.network",
];

#[cfg(test)]
mod tests;
