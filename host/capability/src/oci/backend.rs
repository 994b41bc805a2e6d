//! The stores behind the places that a step opens.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use ::oci::{
    Archive, ArchiveFormat, Budgets, Journal, Layout, Place, RegistryHost, Remote, RemoteOptions,
    RequestTally, Store, Whereabouts,
    client::{CaFile, ClientOptions, Identity},
};
use cap_std::{ambient_authority, fs::Dir};
use report::{Fault, Kind, Side};
use tokio::sync::OnceCell;

use super::AccessFlags;
use super::credential::{RegistryCredentials, RegistrySettings};
use super::credential_program::CredentialHelpers;
use crate::{
    grant::{Denied, Layer, Reach, RepositoryId},
    http::{
        Http, RefusedAddress,
        address::{self, Special},
    },
    secrets::Secrets,
};

/// What the backend is told.
pub struct OciOptions {
    /// Roots, proxy, timeouts; its resolver is not used.
    pub client: ClientOptions,
    /// `[registries]` of the pipeline, by `HOST[:PORT]` or `HOST[:PORT]/PREFIX`.
    pub registries: BTreeMap<String, RegistrySettings>,
    /// Docker's and podman's configuration files, the one that counts first; missing ones are fine.
    pub docker_configs: Vec<PathBuf>,
    /// The credential helpers that those files may name.
    pub helpers: CredentialHelpers,
    /// Where uploads of large blobs are remembered beyond this process.
    pub journal: Option<PathBuf>,
    /// How fast each registry may be asked, by all who share it.
    pub budgets: Budgets,
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
    /// What some hosts know us by.
    identities: BTreeMap<RegistryHost, Identity>,
    insecure: BTreeSet<String>,
    /// Who has certificates of its own, or is said not to be insecure, speaks TLS, also on this
    /// machine.
    tls: BTreeSet<String>,
    credentials: Arc<RegistryCredentials>,
    workspace: PathBuf,
    journal: Option<Arc<Journal>>,
    budgets: Budgets,
    remote: Mutex<Option<Remote>>,
    whereabouts: Whereabouts,
}

impl Oci {
    /// Takes what the pipeline says; makes no client and reads no file yet.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for a key of `[registries]` that is no registry, and for a client
    /// certificate that cannot be shown.
    pub fn new(options: OciOptions) -> Result<Self, Fault> {
        let OciOptions { registries, docker_configs, helpers, secrets, .. } = options;
        let (mut client, workspace) = (options.client, options.workspace);
        let (mut insecure, mut tls) = (BTreeSet::new(), BTreeSet::new());
        let (mut parsed, mut identities) = (BTreeMap::new(), BTreeMap::new());
        for (text, settings) in registries {
            let (host, prefix) = text.split_once('/').unwrap_or((&text, ""));
            let prefix = prefix.to_owned();
            let host: RegistryHost = host.parse().map_err(|error: ::oci::ReferenceError| {
                Fault::new(Kind::Invalid, error.to_string())
                    .code("invalid.oci")
                    .help("write it as `[registries.\"registry.example:5000\"]`")
            })?;
            let has_certificates = settings.ca.is_some() || settings.identity.is_some();
            match (settings.insecure, has_certificates) {
                (Some(true), _) => _ = insecure.insert(host.as_str().to_owned()),
                (Some(false), _) | (None, true) => _ = tls.insert(host.as_str().to_owned()),
                (None, false) => {}
            }
            if let Some(identity) = &settings.identity {
                let before = identities.insert(host.clone(), identity.clone());
                let is_other = before.is_some_and(|before| before != *identity);
                if is_other || settings.insecure == Some(true) {
                    return Err(useless_identity(&host, is_other));
                }
            }
            if let Some(path) = &settings.ca {
                let (host, _) = host.as_str().rsplit_once(':').unwrap_or((host.as_str(), ""));
                client
                    .ca_files
                    .push(CaFile { path: path.clone(), only_for: Some(host.to_owned()) });
            }
            if let Some(login) = &settings.login {
                // A registry that is none of Azure's is said before anything runs.
                secrets.identities().get(login)?.registry(host.as_str())?;
            }
            parsed.insert((host, prefix), settings);
        }
        let docker = OnceCell::new();
        let credentials = Arc::new(RegistryCredentials {
            registries: parsed,
            docker_configs,
            helpers,
            secrets,
            docker,
        });
        let journal = options.journal.map(|folder| Arc::new(Journal::new(folder)));
        let (remote, whereabouts) = (Mutex::new(None), Whereabouts::default());
        Ok(Self(Arc::new(Inner {
            client,
            identities,
            insecure,
            tls,
            credentials,
            workspace,
            journal,
            budgets: options.budgets,
            remote,
            whereabouts,
        })))
    }

    /// Which blobs are where, as far as the run has seen.
    pub(super) fn whereabouts(&self) -> Whereabouts {
        self.0.whereabouts.clone()
    }

    /// The store at `place`, whose requests `tally` counts; `id` is the same, as the grant knows it.
    pub(super) async fn store(
        &self,
        place: &Place,
        id: &RepositoryId,
        access: AccessFlags,
        tally: &Arc<RequestTally>,
    ) -> Result<Arc<dyn Store>, Fault> {
        match (place, id) {
            (Place::Registry(reference), _) => {
                let repository = self.remote()?.repository(reference)?;
                // The first token is then good for all, and no second one is asked for.
                let repository = if access.push { repository.for_writing() } else { repository };
                Ok(Arc::new(repository.counted_by(Arc::clone(tally))))
            }
            (Place::Layout(_), RepositoryId::Layout { path }) => {
                let (root, path) = (self.0.workspace.clone(), path.clone());
                let path = crate::blocking(move || confined(&root, &path)).await?;
                Ok(Arc::new(match is_of_no_tag(place, access) {
                    true => Layout::without_tag(path),
                    false => Layout::new(path),
                }))
            }
            (Place::OciArchive(_), RepositoryId::Archive { path, .. }) => {
                self.archive(place, path, ArchiveFormat::Oci, access).await
            }
            (Place::DockerArchive(archive), RepositoryId::Archive { path, .. }) => {
                let format = ArchiveFormat::Docker(archive.repository.clone());
                self.archive(place, path, format, access).await
            }
            (Place::Layout(_) | Place::OciArchive(_) | Place::DockerArchive(_), _) => {
                Err(Fault::new(Kind::Internal, format!("{place} was taken for {id}")))
            }
        }
    }

    async fn archive(
        &self,
        place: &Place,
        path: &str,
        format: ArchiveFormat,
        access: AccessFlags,
    ) -> Result<Arc<dyn Store>, Fault> {
        let (root, path) = (self.0.workspace.clone(), path.to_owned());
        let path = crate::blocking(move || confined(&root, &path)).await?;
        Ok(Arc::new(match is_of_no_tag(place, access) {
            true => Archive::without_tag(path, format),
            false => Archive::new(path, format),
        }))
    }

    fn remote(&self) -> Result<Remote, Fault> {
        let mut slot = self.0.remote.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(remote) = &*slot {
            return Ok(remote.clone());
        }
        // A registry may be anywhere the person says, also on this machine; but no name and no
        // redirect leads to metadata.
        let resolver = Http::new(self.0.client.clone()).private_resolver(refused_name);
        let client = ClientOptions { resolver: Some(resolver), ..self.0.client.clone() };
        let mut clients = BTreeMap::new();
        for (host, identity) in &self.0.identities {
            let client = ClientOptions { identity: Some(identity.clone()), ..client.clone() };
            clients.insert(host.clone(), ::oci::client::build(&client)?);
        }
        let remote = Remote::new(
            ::oci::client::build(&client)?,
            Arc::clone(&self.0.credentials) as Arc<dyn ::oci::Credentials>,
            RemoteOptions {
                insecure: self.0.insecure.clone(),
                tls: self.0.tls.clone(),
                clients,
                check_address: Some(no_metadata),
                journal: self.0.journal.clone(),
                budgets: self.0.budgets.clone(),
                ..RemoteOptions::default()
            },
        );
        Ok(slot.insert(remote).clone())
    }
}

/// Whether no image was named. Where one may be written, it is called what was said, and `latest` is
/// just that.
fn is_of_no_tag(place: &Place, access: AccessFlags) -> bool {
    place.tag().is_none() && !access.push
}

/// A client certificate that could not be shown is not left out silently.
fn useless_identity(host: &RegistryHost, is_other: bool) -> Fault {
    let (what, help) = match is_other {
        true => (
            "two client certificates",
            "a host is shown one, whatever the path: write `cert` and `key` once",
        ),
        false => (
            "a client certificate, and is to be spoken to without TLS",
            "remove `insecure = true`, or `cert` and `key`",
        ),
    };
    Fault::new(Kind::Invalid, format!("the registry `{host}` has {what}"))
        .code("invalid.oci")
        .help(help)
}

/// An address that a registry wrote into a redirect: anything but metadata.
fn no_metadata(address: IpAddr) -> Result<(), Fault> {
    let reach = Reach { private: true, literal: false };
    address::check(address, reach).map_err(|special| {
        refused_address(address.to_string(), address, special)
            .help("the registry led there: ask who runs it")
    })
}

/// A name that leads to such an address.
fn refused_name(name: &str, refused: RefusedAddress) -> Fault {
    refused_address(name.to_owned(), refused.address, refused.special)
        .help("the name leads there: ask who runs the registry")
}

fn refused_address(value: String, address: IpAddr, special: Special) -> Fault {
    let layer = Layer::Address { address: address.to_string(), what: special.what };
    Fault::from(Denied { key: "oci", value, layer, toml: None }).side(Side::Remote)
}

/// `path` in `root` with links resolved, as far as it exists.
///
/// Links are looked at when the place is opened; who may write to the workspace at that moment could
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::TestRunBuilder;

    #[test]
    fn a_registry_may_lead_anywhere_but_to_metadata() {
        for fine in ["127.0.0.1", "10.0.0.1", "1.1.1.1", "::1"] {
            no_metadata(fine.parse().unwrap()).unwrap();
        }
        for refused in ["169.254.169.254", "::ffff:169.254.169.254", "168.63.129.16"] {
            let fault = no_metadata(refused.parse().unwrap()).unwrap_err();
            assert_eq!((fault.kind, fault.code.as_str()), (Kind::Denied, "denied.oci"));
            assert!(fault.message.contains("is a cloud metadata address"), "{fault}");
        }
    }

    #[tokio::test]
    async fn who_is_not_insecure_speaks_tls_also_on_this_machine() {
        let check = |insecure: Option<bool>, ca: bool, expect: (bool, bool)| {
            let ca = ca.then(|| PathBuf::from("ca.pem"));
            let settings = RegistrySettings { insecure, ca, ..RegistrySettings::default() };
            let run = TestRunBuilder::default().registry("localhost:5000", settings).build();
            let inner = &run.backends.oci.0;
            let named = |hosts: &BTreeSet<String>| hosts.contains("localhost:5000");
            assert_eq!((named(&inner.insecure), named(&inner.tls)), expect);
        };
        check(None, false, (false, false));
        check(None, true, (false, true));
        check(Some(false), false, (false, true));
        check(Some(false), true, (false, true));
        check(Some(true), false, (true, false));
    }
}
