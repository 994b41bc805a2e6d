//! `build`: images made from files and commands.
//!
//! The work is done by the room `build`; here is what a step may have of it. A context is a folder
//! that the step may read, or a repository that it may fetch; a base is an image that it may pull; a
//! command needs `exec.run`, and `exec.network` if it wants the network; a target is a repository
//! that was opened for writing. Methods follow `wit/deps/build/build.wit` one to one.
//!
//! A dry run may look: it resolves bases and reads contexts. It copies nothing into the store of
//! builds and runs nothing.

mod builder;
mod context;
mod fetch;
mod filesystem;
mod listing;
mod output;
mod request;
mod upload;

use report::{Fault, Kind, Side};

use crate::{call::Call, http::GrantedHttp, oci::GrantedOci};

pub use builder::{BuildRebased, GrantedBuilder};
pub use context::BuildContext;
pub use filesystem::{BillFormat, BuildFilesystem};
pub use listing::{Ignored, ListedContext, Sent, list_context, pack_context};
pub use output::{BuildOutput, BuildWritten};
pub use request::{BuildCommand, BuildCopy, CommandMount, CopySource, GivenFile};
pub use upload::{BuildUploaded, UploadRequest};

/// Builds, seen through the grant of one step.
#[derive(Clone)]
pub struct GrantedBuild {
    pub(crate) call: Call,
    pub(crate) engine: build::Engine,
    pub(crate) oci: GrantedOci,
    pub(crate) http: GrantedHttp,
    /// The folder of the pipeline file.
    pub(crate) root: std::path::PathBuf,
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new(Kind::Invalid, message).code("invalid.build").side(Side::Plugin)
}
