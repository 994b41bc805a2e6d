//! What is asked for: one command over a stack of snapshots.

use std::path::PathBuf;

use report::Secret;
use serde::{Deserialize, Serialize};

/// One command, and the file system that it sees and changes.
#[derive(Clone)]
pub struct Run {
    /// The snapshots that it sees, topmost first; none for an image from nothing.
    pub lower: Vec<PathBuf>,
    /// Takes the changes. An existing directory, which gets mode and owner of `/`.
    pub upper: PathBuf,
    /// Overlayfs works here: existing, empty, on the file system of `upper`, used once.
    pub work: PathBuf,
    /// For discarded writes of bind mounts: existing, empty, on the file system of `upper`.
    pub scratch: PathBuf,
    /// What `hostname` says.
    pub hostname: String,
    /// Whose network it sees.
    pub network: Network,
    /// The bytes of its `/etc/hosts`.
    pub hosts: Vec<u8>,
    /// The bytes of its `/etc/resolv.conf`; `None` leaves the image's own in place.
    pub resolv_conf: Option<Vec<u8>>,
    /// What `RUN --mount` asks for, in order.
    pub mounts: Vec<Mount>,
    /// As `USER` has it: empty for root, names of the image's `/etc/passwd` or numbers, `user:group`.
    pub user: String,
    /// Where it runs; made if it is missing, as Docker does.
    pub directory: String,
    /// Its environment. `HOME` comes from `/etc/passwd` if it is not here.
    pub environment: Vec<(String, String)>,
    /// The program, looked up in its `PATH`, and its arguments.
    pub arguments: Vec<String>,
}

/// Whose network a command sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// One of its own, in which there is nothing but itself.
    None,
    /// That of the machine.
    Host,
}

/// Something that a command sees but that is no part of the image.
#[derive(Clone)]
pub struct Mount {
    /// Where, from the root of the image.
    pub target: String,
    /// What.
    pub kind: MountKind,
}

/// What a [`Mount`] shows.
#[derive(Clone)]
pub enum MountKind {
    /// Files from elsewhere.
    Bind {
        /// One directory, or snapshots, topmost first.
        source: Vec<PathBuf>,
        /// What of it; links in it are resolved in it.
        path: String,
        /// Whether the command may write; what it writes is discarded.
        access: Access,
    },
    /// A directory that stays.
    Cache {
        /// Made if it is missing.
        directory: PathBuf,
        /// Its mode when made.
        mode: u32,
        /// Its owner when made.
        uid: u32,
        /// Its group when made.
        gid: u32,
        /// Whether the command may write.
        access: Access,
    },
    /// An empty directory in memory.
    Tmpfs {
        /// Its limit in bytes; half of the memory without.
        size: Option<u64>,
    },
    /// A secret as a file, in memory.
    Secret {
        /// Its content.
        bytes: Secret,
        /// Its mode.
        mode: u32,
        /// Its owner.
        uid: u32,
        /// Its group.
        gid: u32,
    },
    /// A secret as a variable of the command; [`Mount::target`] says nothing.
    SecretVariable {
        /// The variable.
        name: String,
        /// Its value.
        bytes: Secret,
    },
}

/// Whether something may be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// It may not.
    Read,
    /// It may.
    Write,
}
