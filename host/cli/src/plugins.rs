//! From what `uses` says to a plugin: builtin, file, registry or web.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use capability::{
    AccessFlags, Backends, CallFacts, Descriptor, Field, Grant, GrantText, Granted, HttpText,
    LedgerLine, Level, Redirects, Reporter, Request, Response, Unit,
};
use futures::StreamExt as _;
use oci::Digest;
use pipeline::{CapabilityRequest, Catalog, CatalogError, PluginFacts};
use report::{Fault, Kind, SafeUrl, plural};
use serde_json::Value;
use wasm::{Engine, Loaded, Plugin};

/// The media type of a component in a registry (CNCF Wasm OCI artifact layout).
const COMPONENT_LAYER: &str = "application/wasm";

/// How many plugins are fetched and compiled at once: compiling takes a core each.
const AT_ONCE: usize = 4;

/// 1 MiB at a time: what a blob gives in one call.
const READ_BYTES: u32 = 1 << 20;

/// 5 min for a download of at most 16 MiB; larger plugins belong into a registry.
const DOWNLOAD_MS: u32 = 300_000;

/// Redirects that a download may take.
const REDIRECTS: usize = 10;

/// Every plugin that a pipeline uses, or why it is not to be had.
#[derive(Clone, Default)]
pub(crate) struct Plugins(BTreeMap<String, Result<Arc<Plugin>, Fault>>);

/// A `uses`, and the digest that goes with a web address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Use {
    pub(crate) uses: String,
    pub(crate) sha256: Option<String>,
}

impl Plugins {
    /// Loads what `uses` names, all at once; paths are relative to `base`. `note` hears what takes
    /// long.
    pub(crate) async fn load(
        engine: &Engine,
        uses: Vec<Use>,
        base: &Path,
        backends: &Backends,
        note: &(dyn Fn(String) + Sync),
    ) -> Self {
        let loads = uses.into_iter().map(|wanted| async move {
            let loaded = load(engine, &wanted, base, backends).await;
            if let Ok(Loaded { compiled: Some(time), .. }) = &loaded {
                note(format!("compiled `{}` in {}, once", wanted.uses, crate::ui::took(*time)));
            }
            (wanted.uses, loaded.map(|loaded| loaded.plugin))
        });
        Self(futures::stream::iter(loads).buffer_unordered(AT_ONCE).collect().await)
    }

    /// The plugin that `uses` names, if it was loaded.
    pub(crate) fn get(&self, uses: &str) -> Option<&Arc<Plugin>> {
        self.0.get(uses).and_then(|plugin| plugin.as_ref().ok())
    }

    /// What each plugin takes: `uses` and the JSON Schema of its inputs.
    pub(crate) fn inputs_schemas(&self) -> Vec<(String, Value)> {
        let loaded = self.0.iter().filter_map(|(uses, plugin)| Some((uses, plugin.as_ref().ok()?)));
        loaded
            .map(|(uses, plugin)| (uses.clone(), plugin.description().inputs_schema.clone()))
            .collect()
    }

    /// The faults of plugins that could not be loaded for other reasons than a mistake in the file.
    pub(crate) fn fault(&self) -> Option<&Fault> {
        let faults = self.0.values().filter_map(|plugin| plugin.as_ref().err());
        faults.into_iter().find(|fault| !matches!(fault.kind, Kind::Invalid | Kind::NotFound))
    }
}

impl Catalog for Plugins {
    fn plugin(&self, uses: &str) -> Result<PluginFacts, CatalogError> {
        let known = || wasm::builtins().map(str::to_owned).collect();
        match self.0.get(uses) {
            Some(Ok(plugin)) => Ok(facts(plugin, uses)),
            Some(Err(fault)) => Err(CatalogError {
                message: fault.to_string(),
                help: fault.help.clone(),
                known: if is_name(uses) { known() } else { Vec::new() },
            }),
            None => Err(CatalogError {
                message: format!("`{uses}` was not loaded"),
                help: None,
                known: known(),
            }),
        }
    }
}

fn facts(plugin: &Plugin, uses: &str) -> PluginFacts {
    let said = plugin.description();
    PluginFacts {
        name: said.name.clone(),
        version: said.version.clone(),
        digest: plugin.digest().to_owned(),
        builtin: is_name(uses),
        summary: said.summary.clone(),
        inputs_schema: said.inputs_schema.clone(),
        outputs_schema: said.outputs_schema.clone(),
        requests: said
            .requests
            .iter()
            .map(|request| CapabilityRequest {
                capability: request.capability.clone(),
                value: request.value.clone(),
                reason: request.reason.clone(),
            })
            .collect(),
    }
}

/// Whether `uses` names a builtin: no scheme, no path.
fn is_name(uses: &str) -> bool {
    !uses.contains([':', '/'])
}

/// Loads one plugin.
pub(crate) async fn load(
    engine: &Engine,
    wanted: &Use,
    base: &Path,
    backends: &Backends,
) -> Result<Loaded, Fault> {
    let uses = wanted.uses.as_str();
    if let Some(path) = uses.strip_prefix("file:") {
        return engine.load(read(&base.join(path.trim_start_matches("./")))?, uses).await;
    }
    if let Some(reference) = uses.strip_prefix("oci://") {
        return engine.load(pull(uses, reference, backends).await?, uses).await;
    }
    if uses.starts_with("https://") {
        return engine.load(download(uses, wanted.sha256.as_deref(), backends).await?, uses).await;
    }
    if !is_name(uses) {
        return Err(Fault::new(Kind::Invalid, format!("`{uses}` is no place of a plugin"))
            .help("write a builtin's name, `file:./step.wasm`, `oci://HOST/REPOSITORY:TAG`, or `https://…` with `sha256`"));
    }
    match engine.builtin(uses).await {
        Some(loaded) => loaded,
        None => Err(Fault::new(Kind::NotFound, format!("there is no builtin plugin `{uses}`"))),
    }
}

/// A file of this machine. Read in place: nothing else is going on yet, and a thread would cost more
/// than the reading of what most plugins are.
fn read(path: &Path) -> Result<Bytes, Fault> {
    let mut bytes = Vec::new();
    // One byte more than may be: the rest of a larger file is not worth reading.
    let limit = wasm::COMPONENT_BYTES as u64 + 1;
    let opened = fs_err::File::open(path);
    match opened.and_then(|file| file.take(limit).read_to_end(&mut bytes)) {
        Ok(_) => Ok(bytes.into()),
        Err(error) => Err(Fault::new(Kind::NotFound, "the plugin cannot be read")
            .cause(error)
            .help("build it first, or correct the path: it is relative to the pipeline file")),
    }
}

fn too_large(size: u64, what: impl std::fmt::Display) -> Fault {
    let limit = crate::ui::bytes(wasm::COMPONENT_BYTES as u64);
    let size = crate::ui::bytes(size);
    Fault::new(Kind::Invalid, format!("`{what}` has {size}, a component may have {limit}"))
        .code("invalid.component")
}

/// Pulls a component: a manifest with one layer `application/wasm`.
async fn pull(uses: &str, reference: &str, backends: &Backends) -> Result<Bytes, Fault> {
    let grant = GrantText { oci_pull: vec![reference.to_owned()], ..GrantText::default() };
    let granted = give(backends, &grant)?;
    let access = AccessFlags { pull: true, ..AccessFlags::default() };
    let repository = granted.oci.open(reference, access).await?;
    let manifest = repository.get_manifest(&repository.selector()).await?;
    let layer = component_layer(&manifest.content).map_err(|problem| {
        Fault::new(Kind::Invalid, format!("`{uses}` is no plugin: {problem}")).help(
            "push the component as one layer `application/wasm`, for example with `wkg oci push`",
        )
    })?;
    if layer.size > wasm::COMPONENT_BYTES as u64 {
        return Err(too_large(layer.size, uses));
    }
    let blob = repository.get_blob(&layer)?;
    let mut bytes = Vec::new();
    loop {
        let piece = blob.read(bytes.len() as u64, READ_BYTES).await?;
        bytes.extend_from_slice(&piece);
        if piece.is_empty() || bytes.len() as u64 >= layer.size {
            break;
        }
    }
    verified(bytes.into(), &layer.digest, uses)
}

/// The one layer of a component's manifest.
fn component_layer(manifest: &[u8]) -> Result<Descriptor, String> {
    let manifest: Value = serde_json::from_slice(manifest).map_err(|error| error.to_string())?;
    let layers = manifest.get("layers").and_then(Value::as_array).map(Vec::as_slice);
    let [layer] = layers.unwrap_or_default() else {
        return Err(format!("it has {}", plural(layers.unwrap_or_default().len(), "layer")));
    };
    let text = |key: &str| layer.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let media_type = text("mediaType");
    if media_type != COMPONENT_LAYER {
        return Err(format!("its layer is `{media_type}`"));
    }
    let size = layer.get("size").and_then(Value::as_u64).ok_or("its layer has no size")?;
    Ok(Descriptor {
        media_type,
        digest: text("digest"),
        size,
        artifact_type: None,
        platform: None,
        annotations: Vec::new(),
    })
}

/// Downloads a component whose digest is known; any host may serve it then.
async fn download(url: &str, sha256: Option<&str>, backends: &Backends) -> Result<Bytes, Fault> {
    let shown = SafeUrl::parse(url).to_string();
    let Some(sha256) = sha256 else {
        return Err(Fault::new(Kind::Invalid, format!("`{shown}` has no digest"))
            .help("add `sha256 = \"…\"` beside `uses`: what a web server sends may change"));
    };
    let mut next = url.to_owned();
    for _ in 0..=REDIRECTS {
        let response = get(&next, backends).await?;
        let location = response.headers.iter().find(|(name, _)| name == "location");
        match (response.status, location) {
            (200, _) => return verified(response.body.into(), &format!("sha256:{sha256}"), &shown),
            (301 | 302 | 303 | 307 | 308, Some((_, location)))
                if location.starts_with("https://") =>
            {
                next.clone_from(location);
            }
            (status, _) => {
                let fault = Fault::new(Kind::NotFound, format!("`{shown}` cannot be downloaded"));
                let retry = status >= 500;
                let at = SafeUrl::parse(&response.url);
                return Err(fault.cause(format!("GET {at}: {status}")).retry(retry));
            }
        }
    }
    Err(Fault::new(Kind::Failed, format!("`{shown}` is redirected more than {REDIRECTS} times")))
}

async fn get(url: &str, backends: &Backends) -> Result<Response, Fault> {
    let after_scheme = url.find("://").map_or(0, |scheme| scheme + 3);
    let end = url.get(after_scheme..).and_then(|rest| rest.find(['/', '?', '#']));
    let origin = end.and_then(|end| url.get(..after_scheme + end)).unwrap_or(url);
    let rule = HttpText { url: origin.to_owned(), methods: vec!["GET".to_owned()], private: true };
    let granted = give(backends, &GrantText { http: vec![rule], ..GrantText::default() })?;
    let request = Request {
        method: "GET".to_owned(),
        url: url.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        redirects: Redirects::ReturnThem,
        timeout_ms: Some(DOWNLOAD_MS),
    };
    granted.http.send(request).await
}

/// `bytes`, if they have the digest that was pinned.
fn verified(bytes: Bytes, digest: &str, what: &str) -> Result<Bytes, Fault> {
    let expected: Digest = digest.parse().map_err(|error| {
        Fault::new(Kind::Invalid, format!("the digest of `{what}` is none")).cause(error)
    })?;
    expected.verify(&bytes).map_err(|mismatch| {
        Fault::new(Kind::Mismatch, format!("`{what}` is not the plugin that was pinned"))
            .cause(mismatch)
            .help("if the new version is wanted, review it and change the digest")
    })?;
    Ok(bytes)
}

/// What loading a plugin may do: what the file says, and nobody listens.
fn give(backends: &Backends, grant: &GrantText) -> Result<Granted, Fault> {
    Ok(backends.give(CallFacts {
        grant: Grant::compile(grant)?,
        state_scope: String::new(),
        dry_run: true,
        deadline: None,
        reporter: Arc::new(Silence),
    }))
}

/// Listens to nobody: loading a plugin is no step.
struct Silence;

impl Reporter for Silence {
    fn log(&self, _: Level, _: &str, _: &[Field]) {}

    fn progress_start(&self, _: &str, _: Option<u64>, _: Unit) -> u64 {
        0
    }

    fn progress_advance(&self, _: u64, _: u64) {}

    fn progress_title(&self, _: u64, _: &str) {}

    fn progress_end(&self, _: u64) {}

    fn group_start(&self, _: &str) {}

    fn group_end(&self) {}

    fn ledger(&self, _: LedgerLine) {}
}
