//! What a step may be given.
//!
//! A capability is a backend seen through a grant: [`GrantedHttp`], [`GrantedSecrets`],
//! [`GrantedOci`], [`GrantedState`], [`GrantedWorkspace`], [`GrantedBuild`]; [`StepLog`] needs no grant. Their methods
//! follow `wit/` one to one, so that the sandbox's glue converts and never decides: it gets a
//! [`Granted`] and nothing else, and an unchecked call cannot be written.
//!
//! ```text
//! Backends (per run) ──give(CallFacts)──▶ Granted { http, secrets, oci, build, state, workspace, log }
//!                                            every method: grant ▶ policy ▶ effect ▶ ledger line
//! ```
//!
//! Neighbours: `report`, `oci`, `build` and `azure` below, `wasm` above. What a capability has to say goes to a
//! [`Reporter`], which the other line of the house implements.
//!
//! Must never: touch the environment; show a secret; do anything before [`Grant::allows`] said yes;
//! open a connection that did not pass the gate in `http`.

mod backends;
mod build;
mod call;
mod grant;
mod http;
mod identity;
mod log;
mod oci;
#[cfg(test)]
mod recorder;
mod secrets;
mod state;
mod table;
mod voice;
mod workspace;

pub use crate::build::{
    BillFormat, BuildCommand, BuildContext, BuildCopy, BuildFilesystem, BuildOutput, BuildRebased,
    BuildUploaded, BuildWritten, CommandMount, CopySource, GivenFile, GrantedBuild, GrantedBuilder,
    Ignored, ListedContext, Sent, UploadRequest, list_context, pack_context,
};
pub use crate::http::{
    Body, BodyError, Encoding, GrantedHttp, Header, HeaderValue, Http, Kept, Part, Redirects,
    Request, Response, Timeouts,
};
pub use crate::oci::{
    AccessFlags, Blob, Copied, CopyRequest, CredentialHelpers, Descriptor, Forecast, GrantedOci,
    Lookup as OciLookup, ManifestBytes, Oci, OciOptions, PlannedCopy, ReferrerChoice,
    RegistrySettings, Repository, TextOrSecret,
};
pub use ::build::exec::{HELPER as BUILD_HELPER, Setup as BuildSetup, helper as build_helper};
pub use ::build::layer::Compression as LayerCompression;
pub use ::build::store::{Prune, Sharing as CacheSharing, Usage};
pub use ::build::{Engine, EngineOptions, ImageFormat, NetworkFiles};
pub use backends::{Backends, CallFacts, Granted};
pub use grant::{
    ArchiveFormat, Denied, Grant, GrantError, GrantText, HostPattern, HttpText, Layer,
    RepositoryId, Want, matches_wildcard, parse_only_to,
};
pub use identity::Identities;
pub use log::{Group, LineWriter, Progress, StepLog};
pub use secrets::{
    Alphabet, EnvProvider, FileProvider, GrantedSecrets, LocalStore, Lookup, SecretHandle,
    SecretProvider, SecretProviders, SecretSource, SecretText, Secrets, is_readable_by_others,
};
pub use state::{Entry, Expected, GrantedState, StateFile};
pub use table::{CAPABILITIES, Capability, GRANT_KEYS};
pub use voice::{Field, ImageRole, ImageUse, LedgerLine, Level, Nobody, Reporter, Unit};
pub use workspace::{DirectoryEntry, FileKind, GrantedWorkspace, Preopen};

use report::{Fault, Kind};

/// The one place of this room where blocking work leaves the async runtime.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(failed) if failed.is_cancelled() => {
            Err(Fault::new(Kind::Cancelled, "the runner is shutting down"))
        }
        Err(failed) => Err(Fault::new(Kind::Internal, "a thread of ours broke").cause(failed)),
    }
}
