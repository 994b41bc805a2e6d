//! The stores behind the places that a step opens.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use ::oci::{
    Layout, Place, Remote, RemoteOptions, Store,
    client::{CaFile, ClientOptions},
};
use cap_std::{ambient_authority, fs::Dir};
use report::{Fault, Kind, Side};
use tokio::sync::OnceCell;

use super::credential::{RegistryCredentials, RegistrySettings};
use crate::{
    grant::{Denied, Layer, RepositoryId},
    http::Http,
    secrets::Secrets,
};

/// What the backend is told.
pub struct OciOptions {
    /// Roots, proxy, timeouts; its resolver is not used.
    pub client: ClientOptions,
    /// `[registries]` of the pipeline, by `HOST[:PORT]`.
    pub registries: BTreeMap<String, RegistrySettings>,
    /// Docker's and podman's configuration files, the one that counts first; missing ones are fine.
    pub docker_configs: Vec<PathBuf>,
    /// The pipeline's secrets.
    pub secrets: Secrets,
    /// The folder of the pipeline file, in which layouts are.
    pub workspace: PathBuf,
}

/// Registries and layouts of one run. Clones share connections.
#[derive(Clone)]
pub struct Oci(Arc<Inner>);

struct Inner {
    client: ClientOptions,
    insecure: BTreeSet<String>,
    /// Who has certificates of its own speaks TLS, also on this machine.
    tls: BTreeSet<String>,
    credentials: Arc<RegistryCredentials>,
    workspace: PathBuf,
    remote: Mutex<Option<Remote>>,
}

impl Oci {
    /// Takes what the pipeline says; makes no client and reads no file yet.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for a key of `[registries]` that is no registry.
    pub fn new(options: OciOptions) -> Result<Self, Fault> {
        let OciOptions { mut client, registries, docker_configs, secrets, workspace } = options;
        let (mut insecure, mut tls) = (BTreeSet::new(), BTreeSet::new());
        let mut parsed = BTreeMap::new();
        for (text, settings) in registries {
            let host: ::oci::RegistryHost =
                text.parse().map_err(|error: ::oci::ReferenceError| {
                    Fault::new(Kind::Invalid, error.to_string())
                        .code("invalid.oci")
                        .help("write it as `[registries.\"registry.example:5000\"]`")
                })?;
            if settings.insecure {
                insecure.insert(host.as_str().to_owned());
            }
            if let Some(path) = &settings.ca {
                tls.insert(host.as_str().to_owned());
                let (host, _) = host.as_str().rsplit_once(':').unwrap_or((host.as_str(), ""));
                client
                    .ca_files
                    .push(CaFile { path: path.clone(), only_for: Some(host.to_owned()) });
            }
            parsed.insert(host, settings);
        }
        let docker = OnceCell::new();
        let credentials =
            Arc::new(RegistryCredentials { registries: parsed, docker_configs, secrets, docker });
        let remote = Mutex::new(None);
        Ok(Self(Arc::new(Inner { client, insecure, tls, credentials, workspace, remote })))
    }

    /// The store at `place`; `id` is the same, as the grant knows it.
    pub(super) async fn store(
        &self,
        place: &Place,
        id: &RepositoryId,
    ) -> Result<Arc<dyn Store>, Fault> {
        match (place, id) {
            (Place::Registry(reference), _) => Ok(Arc::new(self.remote()?.repository(reference)?)),
            (Place::Layout(_), RepositoryId::Layout { path }) => {
                let (root, path) = (self.0.workspace.clone(), path.clone());
                let path = crate::blocking(move || confined(&root, &path)).await?;
                Ok(Arc::new(Layout::new(path)))
            }
            (Place::Layout(_), RepositoryId::Registry { .. }) => {
                Err(Fault::new(Kind::Internal, "a layout was taken for a registry"))
            }
        }
    }

    fn remote(&self) -> Result<Remote, Fault> {
        let mut slot = self.0.remote.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(remote) = &*slot {
            return Ok(remote.clone());
        }
        // A registry may be anywhere the person says, also on this machine; but no name, and no
        // redirect to one, leads to metadata.
        let resolver = Http::new(self.0.client.clone()).private_resolver();
        let client = ClientOptions { resolver: Some(resolver), ..self.0.client.clone() };
        let remote = Remote::new(
            ::oci::client::build(&client)?,
            Arc::clone(&self.0.credentials) as Arc<dyn ::oci::Credentials>,
            RemoteOptions {
                insecure: self.0.insecure.clone(),
                tls: self.0.tls.clone(),
                ..RemoteOptions::default()
            },
        );
        Ok(slot.insert(remote).clone())
    }
}

/// `path` in `root` with links resolved, as far as it exists.
///
/// Links are looked at when the layout is opened; who may write to the workspace at that moment could
/// swap one afterwards, and needs a grant to write there.
fn confined(root: &Path, path: &str) -> Result<PathBuf, Fault> {
    let shown = if path.is_empty() { "." } else { path };
    let fault = |error: io::Error| {
        if error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none() {
            let value = format!("oci-layout:{shown}");
            return Denied { key: "oci.pull", value, layer: Layer::Link, toml: None }.into();
        }
        Fault::new(Kind::Failed, format!("the layout `{shown}` cannot be used"))
            .code("failed.oci")
            .side(Side::Host)
            .caused_by(&error)
    };
    let dir = Dir::open_ambient_dir(root, ambient_authority()).map_err(fault)?;
    let mut rest = Vec::new();
    let mut known = shown;
    loop {
        match dir.canonicalize(known) {
            Ok(inside) => {
                let whole = root.join(inside);
                return Ok(rest.iter().rev().fold(whole, |path, part| path.join(part)));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // A link to nowhere would be followed when the layout is made.
                if dir.symlink_metadata(known).is_ok() {
                    return Err(fault(io::Error::from(io::ErrorKind::PermissionDenied)));
                }
                let (parent, name) = known.rsplit_once('/').unwrap_or((".", known));
                rest.push(name);
                known = parent;
            }
            Err(error) => return Err(fault(error)),
        }
    }
}
