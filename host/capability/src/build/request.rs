//! What `windlass:build/build` was told of a copy or a command.

use std::sync::Arc;

use super::{BuildContext, BuildFilesystem};
use crate::secrets::SecretHandle;

/// A file that a plugin brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenFile {
    /// Relative, with `/`.
    pub path: String,
    /// Its bytes.
    pub content: Vec<u8>,
    /// Permission bits.
    pub mode: u32,
}

/// What is copied into a filesystem.
#[derive(Clone)]
pub struct BuildCopy {
    /// Absolute or relative to `directory`; a directory if it ends with `/`.
    pub destination: String,
    /// Where a relative destination begins.
    pub directory: String,
    /// What, in order.
    pub sources: Vec<CopySource>,
    /// Unpack tars of a context.
    pub unpack: bool,
    /// `USER[:GROUP]`.
    pub owner: Option<String>,
    /// Octal or symbolic.
    pub mode: Option<String>,
    /// Keep the folders in which a source lies.
    pub parents: bool,
    /// Patterns to leave out.
    pub exclude: Vec<String>,
    /// Do not depend on what is below.
    pub link: bool,
}

/// One source of a copy.
#[derive(Clone)]
pub enum CopySource {
    /// A path or pattern of a context.
    Context(BuildContext, String),
    /// A path or pattern of a filesystem.
    Filesystem(Box<BuildFilesystem>, String),
    /// What is at a URL.
    Url {
        /// Where.
        url: String,
        /// What it must hash to.
        checksum: Option<String>,
    },
    /// A file that the plugin brings.
    Given(GivenFile),
}

/// A command.
#[derive(Clone)]
pub struct BuildCommand {
    /// The program and its arguments.
    pub arguments: Vec<String>,
    /// As people know it.
    pub title: String,
    /// Its environment.
    pub environment: Vec<(String, String)>,
    /// More of it that does not count for the cache.
    pub ambient: Vec<(String, String)>,
    /// Where it starts.
    pub directory: String,
    /// `USER[:GROUP]`; root if empty.
    pub user: String,
    /// Whether it wants the network of this machine.
    pub network: bool,
    /// What is mounted into it.
    pub mounts: Vec<CommandMount>,
}

/// Something that is mounted into a command.
#[derive(Clone)]
pub enum CommandMount {
    /// An executable file.
    Script {
        /// Where.
        path: String,
        /// Its bytes.
        content: Vec<u8>,
    },
    /// A directory that is kept.
    Cache {
        /// Where.
        target: String,
        /// Which.
        id: String,
        /// Who else may use it.
        sharing: build::store::Sharing,
        /// Permission bits of a new one.
        mode: u32,
        /// Its owner.
        uid: u32,
        /// Its group.
        gid: u32,
        /// Whether it can only be read.
        read_only: bool,
    },
    /// Files of a context.
    Context {
        /// Where.
        target: String,
        /// Whose.
        context: BuildContext,
        /// Which.
        source: String,
        /// Whether it can be written, and lost.
        writable: bool,
    },
    /// Files of a filesystem.
    Filesystem {
        /// Where.
        target: String,
        /// Whose.
        filesystem: Arc<BuildFilesystem>,
        /// Which.
        source: String,
        /// Whether it can be written, and lost.
        writable: bool,
    },
    /// Memory.
    Tmpfs {
        /// Where.
        target: String,
        /// Bytes.
        size: Option<u64>,
    },
    /// A secret as a file.
    Secret {
        /// Where.
        target: String,
        /// Which.
        secret: SecretHandle,
        /// Permission bits.
        mode: u32,
        /// The owner.
        uid: u32,
        /// The group.
        gid: u32,
    },
    /// A secret as a variable.
    SecretVariable {
        /// The variable.
        name: String,
        /// Which.
        secret: SecretHandle,
    },
}

impl BuildCopy {
    /// A copy of nothing yet.
    pub fn new(destination: String, directory: String) -> Self {
        Self {
            destination,
            directory,
            sources: Vec::new(),
            unpack: false,
            owner: None,
            mode: None,
            parents: false,
            exclude: Vec::new(),
            link: false,
        }
    }
}

impl BuildCommand {
    /// A command with nothing but its arguments.
    pub fn new(arguments: Vec<String>, title: String) -> Self {
        Self {
            arguments,
            title,
            environment: Vec::new(),
            ambient: Vec::new(),
            directory: "/".to_owned(),
            user: String::new(),
            network: false,
            mounts: Vec::new(),
        }
    }
}
