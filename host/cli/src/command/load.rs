//! From a path to a plan: what `run`, `check`, `plan` and `schema` have in common.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use capability::Backends;
use pipeline::{InputText, Pipeline, Plan};
use report::{Diagnostic, Fault, Kind, Mask, Source};
use wasm::Engine;

use super::Failure;
use crate::args::Given;
use crate::plugins::{Plugins, Use};
use crate::settings::Settings;
use crate::wiring;

/// A pipeline file that was read, with the plugins that it uses.
pub(super) struct Loaded {
    pub(super) pipeline: Pipeline,
    pub(super) plugins: Plugins,
    pub(super) backends: Backends,
    /// Knows every secret of the pipeline as soon as it is read.
    pub(super) mask: Mask,
}

/// Reads the file and loads its plugins.
pub(super) async fn load(file: &Path, settings: &Settings) -> Result<Loaded, Failure> {
    let source = read(file)?;
    let pipeline = pipeline::parse(&source).map_err(Failure::File)?;
    let base = base(file);
    let mask = Mask::new();
    let backends = wiring::backends(Some(&pipeline), &base, settings, mask.clone())?;
    let engine = Engine::new(wiring::compile_cache(settings))?;
    let uses = pipeline
        .uses()
        .into_iter()
        .map(|(uses, sha256)| Use {
            uses: uses.value.clone(),
            sha256: sha256.map(|sha256| sha256.value.clone()),
        })
        .collect();
    let note = |text: String| {
        if !settings.quiet {
            anstream::eprintln!("{text}");
        }
    };
    let plugins = Plugins::load(&engine, uses, &base, &backends, &note).await;
    if let Some(fault) = plugins.fault() {
        return Err(fault.clone().into());
    }
    Ok(Loaded { pipeline, plugins, backends, mask })
}

impl Loaded {
    /// Plans; warnings are shown, errors returned.
    pub(super) fn plan(&self, given: &Given, settings: &Settings) -> Result<Plan, Failure> {
        let inputs = given
            .inputs
            .iter()
            .map(|(name, text)| {
                let origin = format!("--input {name}={text}");
                (name.clone(), InputText { text: text.clone(), origin })
            })
            .collect();
        let given = pipeline::Given { inputs };
        let plan = pipeline::plan(&self.pipeline, &given, &self.plugins).map_err(Failure::File)?;
        if !settings.quiet {
            crate::ui::show_diagnostics(&plan.warnings, settings.style);
        }
        Ok(plan)
    }
}

/// The folder of a pipeline file, which its paths are relative to.
pub(super) fn base(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The digest of a pipeline file as it is now.
pub(super) fn digest(file: &Path) -> Result<String, Failure> {
    Ok(digest_of(&read(file)?))
}

/// The digest of a pipeline file that was read.
pub(super) fn digest_of(source: &Source) -> String {
    oci::Digest::of(source.text().as_bytes()).to_string()
}

pub(super) fn read(file: &Path) -> Result<Source, Failure> {
    let label = file.display().to_string();
    // One byte more than may be: the parser says what is wrong with a larger file.
    let limit = pipeline::limits::FILE_BYTES + 1;
    let mut bytes = Vec::new();
    let opened = fs_err::File::open(file);
    let read = opened.and_then(|file| file.take(limit as u64).read_to_end(&mut bytes));
    if let Err(error) = read {
        let fault = Fault::new(Kind::NotFound, "the pipeline file cannot be read").cause(error);
        return Err(Failure::Usage(
            fault.help("name a pipeline file, such as `windlass run pipelines/import.toml`"),
        ));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source::new(label, text)),
        Err(error) if error.as_bytes().len() == limit => {
            Ok(Source::new(label, String::from_utf8_lossy(error.as_bytes())))
        }
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let problem = Diagnostic::error(format!("`{label}` is not UTF-8, from byte {at} on"))
                .help("a pipeline file is TOML, and TOML is UTF-8");
            Err(Failure::File(vec![problem]))
        }
    }
}
