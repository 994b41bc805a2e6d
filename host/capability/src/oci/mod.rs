//! `oci`: images and artifacts in registries and layouts; the bytes stay in the host.
//!
//! [`Oci`] is the backend: one connection pool, the credentials of the pipeline's `[registries]` and of
//! docker's configuration. [`GrantedOci`] is that, seen through a step's grant: it opens a
//! [`Repository`] for what the step is granted, and whoever holds one can do with it what it was opened
//! for and nothing else. Methods follow `wit/deps/oci/oci.wit` one to one.
//!
//! Layouts are places like any other: a pattern `oci-layout:PATH` in the grant allows them, and no
//! grant of `workspace` is needed or enough. So one line of a pipeline says what may be pulled, and it
//! reads the same for a registry and for a directory. The path is confined to the workspace all the
//! same, links included.

mod backend;
mod copy;
mod credential;
mod credential_program;
mod lookup;
mod repository;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use ::oci::RequestTally;
use report::{Fault, Kind, Side};

use crate::{
    call::{Call, Effect},
    grant::{RepositoryId, Want},
    voice::Use,
};

pub use backend::{Oci, OciOptions};
pub(crate) use copy::system_platform;
pub use copy::{Copied, CopyRequest, Forecast, PlannedCopy, ReferrerChoice};
pub use credential::{RegistrySettings, TextOrSecret};
pub use credential_program::CredentialHelpers;
pub use lookup::Lookup;
pub use repository::{Blob, Descriptor, ManifestBytes, Repository};

/// What will be done with a repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccessFlags {
    /// Read manifests, blobs, tags.
    pub pull: bool,
    /// Write them.
    pub push: bool,
    /// Delete them.
    pub delete: bool,
}

/// Registries and layouts, seen through the grant of one step.
#[derive(Clone)]
pub struct GrantedOci {
    call: Call,
    oci: Oci,
}

impl GrantedOci {
    pub(crate) fn new(call: Call, oci: Oci) -> Self {
        Self { call, oci }
    }

    /// Opens the place that `reference` names, for what `access` says. Asks the registry nothing yet.
    ///
    /// # Errors
    /// `denied.oci` (names the grant to add), `invalid.oci` (not a reference; no access asked for).
    pub async fn open(&self, reference: &str, access: AccessFlags) -> Result<Repository, Fault> {
        self.open_counted(reference, access, Arc::default()).await
    }

    /// The same, its requests counted by `tally`.
    async fn open_counted(
        &self,
        reference: &str,
        access: AccessFlags,
        tally: Arc<RequestTally>,
    ) -> Result<Repository, Fault> {
        let voice = &self.call.voice;
        self.open_checked(reference, access, tally).await.map_err(|fault| {
            voice.note_failed(Use::begin("oci", "open", reference), &fault.code, None);
            voice.masked(fault)
        })
    }

    async fn open_checked(
        &self,
        reference: &str,
        access: AccessFlags,
        tally: Arc<RequestTally>,
    ) -> Result<Repository, Fault> {
        if access == AccessFlags::default() {
            return Err(invalid(format!("`{reference}` is opened for nothing"))
                .help("ask for `pull`, `push` or `delete`"));
        }
        let place: ::oci::Place = reference.parse().map_err(not_a_place)?;
        let id = RepositoryId::of(&place).map_err(|error| error.into_fault("oci"))?;
        // All of it is asked for at once, so that a step fails before its first effect.
        for (is_wanted, want) in [
            (access.pull, Want::Pull(&id)),
            (access.push, Want::Push(&id)),
            (access.delete, Want::Delete(&id)),
        ] {
            if is_wanted {
                // A change is refused where it is made: a dry run may open what it would write.
                self.call.check(&want, Effect::Look)?;
            }
        }
        let store = self.oci.store(&place, &id, access, &tally).await?;
        Ok(Repository { call: self.call.clone(), store, tally, id, place, access })
    }
}

fn invalid(message: String) -> Fault {
    Fault::new(Kind::Invalid, message).code("invalid.oci").side(Side::Plugin)
}

fn not_a_place(error: ::oci::PlaceError) -> Fault {
    let fault = invalid(error.to_string());
    match error.help() {
        Some(help) => fault.help(help),
        None => fault,
    }
}
