//! What keeps a command from being run, as opposed to what the command itself says.

use std::fmt;
use std::io;

use report::{Fault, Kind, Side};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::mapping::MORE_IDS;

/// Why a command was not run, or not to its end.
///
/// Never the command's own failure: that is an [`Exit`](super::Exit).
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// A process of ours could not be started, or spoken to.
    #[error("cannot {what}")]
    Process {
        /// What was tried.
        what: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Something in the preparation of the sandbox was refused.
    #[error(transparent)]
    Step(#[from] Failure),
    /// The helper ended without a word.
    #[error("the process that watches over the command has died ({0})")]
    Lost(String),
}

/// A step of the preparation that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{detail}{}", Reason(*errno))]
pub struct Failure {
    /// Which one.
    pub step: Step,
    /// What was tried, with names.
    pub detail: String,
    /// The system's answer; `None` where it was not asked.
    pub errno: Option<i32>,
}

/// The steps from a request to a running command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Understanding what is asked for.
    Request,
    /// A user namespace, where the caller is not root.
    UserNamespace,
    /// Mount, process, IPC, name and network namespaces.
    Namespaces,
    /// Files of our own, in memory.
    Stage,
    /// A second process of ours, the first in its namespace.
    FirstProcess,
    /// The loopback device of an own network.
    Loopback,
    /// The snapshots, one above the other.
    Overlay,
    /// `/proc`.
    Proc,
    /// `/sys`.
    Sys,
    /// `/dev`.
    Devices,
    /// A place to mount something at.
    MountPoint,
    /// What `RUN --mount` asks for.
    Mount,
    /// Making the snapshots the root.
    Root,
    /// Who the command runs as.
    User,
    /// Whether the sandbox has that user.
    Identity,
    /// Where the command runs.
    Directory,
    /// Giving up privileges.
    Privileges,
    /// The filter of system calls.
    Filter,
    /// Starting the command.
    Command,
    /// Taking mount points out of the layer again.
    Cleanup,
}

impl Step {
    /// The name in codes.
    fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::UserNamespace => "user-namespace",
            Self::Namespaces => "namespaces",
            Self::Stage => "stage",
            Self::FirstProcess => "first-process",
            Self::Loopback => "loopback",
            Self::Overlay => "overlay",
            Self::Proc => "proc",
            Self::Sys => "sys",
            Self::Devices => "devices",
            Self::MountPoint => "mount-point",
            Self::Mount => "mount",
            Self::Root => "root",
            Self::User => "user",
            Self::Identity => "identity",
            Self::Directory => "directory",
            Self::Privileges => "privileges",
            Self::Filter => "filter",
            Self::Command => "command",
            Self::Cleanup => "cleanup",
        }
    }
}

impl Failure {
    /// A failure that is no answer of the system.
    pub(super) fn new(step: Step, detail: impl Into<String>) -> Self {
        Self { step, detail: detail.into(), errno: None }
    }

    /// What to try; `None` where we do not know.
    pub fn help(&self) -> Option<&'static str> {
        let errno = self.errno.map(Errno::from_raw_os_error);
        match (self.step, errno) {
            (Step::UserNamespace, Some(Errno::NOSPC | Errno::USERS)) => Some(
                "the machine allows no (more) user namespaces: `sysctl -w \
                 user.max_user_namespaces=15000` as root",
            ),
            (Step::UserNamespace, _) => Some(
                "allow user namespaces: `sysctl -w kernel.unprivileged_userns_clone=1` (Debian), \
                 `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0` (Ubuntu), or an \
                 AppArmor profile with `userns,` for this program; in a container: \
                 `--security-opt seccomp=unconfined`; inside a chroot they are never allowed; \
                 or run as root",
            ),
            (Step::Namespaces, Some(Errno::PERM)) => Some(
                "in a container: `--security-opt seccomp=unconfined --security-opt \
                 apparmor=unconfined`, which lets an unprivileged user make namespaces",
            ),
            (Step::Namespaces, Some(Errno::NOSPC | Errno::USERS)) => Some(
                "the machine allows no more namespaces: see `sysctl user`, and raise the one that \
                 is used up",
            ),
            (Step::Proc, Some(Errno::PERM)) => Some(
                "the container that this runs in hides parts of /proc: start it with \
                 `--security-opt systempaths=unconfined` (docker), `--security-opt unmask=ALL` \
                 (podman) or `procMount: Unmasked` (Kubernetes)",
            ),
            (Step::Overlay, Some(Errno::INVAL)) => Some(
                "overlays cannot lie on an overlay, as the root of a container is: keep the build \
                 store on a volume, or on ext4, xfs, btrfs or tmpfs",
            ),
            (Step::Overlay, Some(Errno::PERM | Errno::NODEV)) => Some(
                "overlays without root need Linux 5.11 or later, and the overlay module: \
                 `modprobe overlay` as root",
            ),
            (Step::Identity, _) => Some(MORE_IDS),
            (Step::Command, Some(Errno::NOENT)) => Some(
                "the program, or the interpreter that its first line names, must be in the image; \
                 an image without /bin/sh needs the exec form: `RUN [\"/program\", \"argument\"]`",
            ),
            (Step::Command, Some(Errno::NOEXEC)) => Some(
                "the program is for another processor, or a script without a first line such as \
                 `#!/bin/sh`",
            ),
            (Step::Command, Some(Errno::ACCESS)) => {
                Some("`COPY --chmod=755` or `RUN chmod +x` makes it executable")
            }
            _ => None,
        }
    }
}

/// The system's words in brackets behind what was tried.
struct Reason(Option<i32>);

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(errno) => write!(f, ": {}", io::Error::from_raw_os_error(errno)),
            None => Ok(()),
        }
    }
}

/// Says which step an answer of the system belongs to.
pub(super) trait At<T> {
    /// The answer as a [`Failure`] of `step`, with what was tried.
    fn at(self, step: Step, detail: impl Into<String>) -> Result<T, Failure>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, step: Step, detail: impl Into<String>) -> Result<T, Failure> {
        self.map_err(|error| {
            let error: io::Error = error.into();
            let mut failure = Failure::new(step, detail);
            failure.errno = error.raw_os_error();
            if failure.errno.is_none() {
                failure.detail = format!("{}: {error}", failure.detail);
            }
            failure
        })
    }
}

impl From<ExecError> for Fault {
    fn from(error: ExecError) -> Self {
        match error {
            ExecError::Process { what, source } => {
                Self::new(Kind::Internal, format!("cannot {what}"))
                    .side(Side::Host)
                    .code("build.run-process")
                    .cause(source)
            }
            ExecError::Lost(how) => {
                Self::new(Kind::Internal, "the process that watches over a command has died")
                    .side(Side::Host)
                    .code("build.run-lost")
                    .cause(how)
            }
            ExecError::Step(failure) => failure.into(),
        }
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        let (kind, side) = match failure.step {
            Step::User
            | Step::Identity
            | Step::Directory
            | Step::Mount
            | Step::MountPoint
            | Step::Command => (Kind::Failed, Side::User),
            Step::Request => (Kind::Invalid, Side::Plugin),
            Step::UserNamespace
            | Step::Namespaces
            | Step::Stage
            | Step::FirstProcess
            | Step::Loopback
            | Step::Overlay
            | Step::Proc
            | Step::Sys
            | Step::Devices
            | Step::Root
            | Step::Privileges
            | Step::Filter
            | Step::Cleanup => (Kind::Failed, Side::Host),
        };
        let fault = Self::new(kind, failure.detail.clone())
            .side(side)
            .code(format!("build.run-{}", failure.step.as_str()));
        let fault = match failure.errno {
            Some(errno) => fault.cause(io::Error::from_raw_os_error(errno)),
            None => fault,
        };
        match failure.help() {
            Some(help) => fault.help(help),
            None => fault,
        }
    }
}
