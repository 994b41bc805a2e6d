//! File work that needs the user namespace of the commands: files of a snapshot may belong to users
//! that only that namespace has.

use std::path::PathBuf;

use report::{Fault, Kind, Side};
use serde::{Deserialize, Serialize};

/// File work on snapshots. Paths are on the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Removes a directory with everything in it; it may be gone already.
    Remove {
        /// The directory.
        path: PathBuf,
    },
}

impl Operation {
    /// Does it in this process.
    pub(super) fn perform(&self) -> Result<(), Fault> {
        match self {
            Self::Remove { path } => crate::remove::remove(path).map_err(|error| {
                Fault::new(Kind::Failed, "cannot remove files of a build")
                    .side(Side::Host)
                    .code("build.remove")
                    .cause(error)
            }),
        }
    }
}
