//! What the runner tells its helper: a [`Run`] without its secrets, which travel behind it.

use std::path::PathBuf;

use report::Secret;
use serde::{Deserialize, Serialize};

use super::error::{Failure, Step};
use super::operation::{Operation, Outcome};
use super::run::{Access, MountKind, Network, Run};

/// The first frame to a helper.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Order {
    /// Make a user namespace, say so, and wait until it has been looked at.
    Namespace,
    /// Run a command. The open file is the user namespace to run it in.
    Run(Box<Sandbox>),
    /// Do file work in the user namespace.
    Operate(Operation),
    /// Read snapshots in the user namespace: these, the lowest first.
    Read(Vec<PathBuf>),
}

/// What a helper answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Answer {
    /// The user namespace is there, or questions may be asked.
    Ready,
    /// The file work is done.
    Operated(Outcome),
    /// A step was refused; nothing runs.
    Failed(Failure),
    /// File work failed.
    Faulted(report::Fault),
    /// The command ended by itself.
    Exited(i32),
    /// A signal ended the command.
    Signalled(i32),
}

/// What the first process of a sandbox has to do when everything but `/proc` is in place.
#[derive(Serialize, Deserialize)]
pub(super) struct Start {
    /// Where the file system of the command is mounted.
    pub(super) root: PathBuf,
    pub(super) rights: Rights,
    pub(super) user: String,
    pub(super) directory: String,
    pub(super) environment: Vec<(String, String)>,
    /// Variables whose values are the secrets behind the frame.
    pub(super) secret_variables: Vec<String>,
    pub(super) arguments: Vec<String>,
}

/// What a user namespace leaves to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rights {
    /// How many ids there are, from 0.
    pub(super) ids: u32,
    /// Whether it may have a device node made: a user namespace forbids it.
    pub(super) is_real_root: bool,
    /// Whether its network is the machine's.
    pub(super) network: Network,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Sandbox {
    pub(super) lower: Vec<PathBuf>,
    pub(super) upper: PathBuf,
    pub(super) work: PathBuf,
    pub(super) scratch: PathBuf,
    pub(super) hostname: String,
    pub(super) hosts: Vec<u8>,
    pub(super) resolv_conf: Option<Vec<u8>>,
    pub(super) mounts: Vec<Fixture>,
    pub(super) start: Start,
}

/// A [`Mount`](super::Mount) on the wire.
#[derive(Serialize, Deserialize)]
pub(super) struct Fixture {
    pub(super) target: String,
    pub(super) kind: FixtureKind,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum FixtureKind {
    Bind {
        source: Vec<PathBuf>,
        path: String,
        access: Access,
    },
    Cache {
        directory: PathBuf,
        mode: u32,
        uid: u32,
        gid: u32,
        access: Access,
    },
    Tmpfs {
        size: Option<u64>,
    },
    /// `bytes` is the number of the secret behind the frame.
    Secret {
        bytes: usize,
        mode: u32,
        uid: u32,
        gid: u32,
    },
}

/// Splits a request into what may be text and what may not. The secrets of variables come last.
pub(super) fn sandbox(
    run: &Run,
    ids: u32,
    is_real_root: bool,
) -> Result<(Sandbox, Vec<&Secret>), Failure> {
    if run.arguments.first().is_none_or(String::is_empty) {
        return Err(Failure::new(Step::Request, "no command to run"));
    }
    let mut mounts = Vec::new();
    let mut secrets = Vec::new();
    let mut variables = Vec::new();
    for mount in &run.mounts {
        let kind = match &mount.kind {
            MountKind::Bind { source, path, access } => {
                FixtureKind::Bind { source: source.clone(), path: path.clone(), access: *access }
            }
            MountKind::Cache { directory, mode, uid, gid, access } => FixtureKind::Cache {
                directory: directory.clone(),
                mode: *mode,
                uid: *uid,
                gid: *gid,
                access: *access,
            },
            MountKind::Tmpfs { size } => FixtureKind::Tmpfs { size: *size },
            MountKind::Secret { bytes, mode, uid, gid } => {
                secrets.push(bytes);
                let (mode, uid, gid) = (*mode, *uid, *gid);
                FixtureKind::Secret { bytes: secrets.len() - 1, mode, uid, gid }
            }
            MountKind::SecretVariable { name, bytes } => {
                variables.push((name.clone(), bytes));
                continue;
            }
        };
        mounts.push(Fixture { target: mount.target.clone(), kind });
    }
    secrets.extend(variables.iter().map(|(_, bytes)| *bytes));
    let start = Start {
        root: PathBuf::new(),
        rights: Rights { ids, is_real_root, network: run.network },
        user: run.user.clone(),
        directory: run.directory.clone(),
        environment: run.environment.clone(),
        secret_variables: variables.into_iter().map(|(name, _)| name).collect(),
        arguments: run.arguments.clone(),
    };
    let sandbox = Sandbox {
        lower: run.lower.clone(),
        upper: run.upper.clone(),
        work: run.work.clone(),
        scratch: run.scratch.clone(),
        hostname: run.hostname.clone(),
        hosts: run.hosts.clone(),
        resolv_conf: run.resolv_conf.clone(),
        mounts,
        start,
    };
    Ok((sandbox, secrets))
}
