//! The component.

use std::time::Instant;

use arm::gate::Gate;
use windlass_plugin::build::{Builder, Compression, Context as Files, GivenFile};
use windlass_plugin::oci::{Access, Repository};
use windlass_plugin::secrets::{self, Secret};
use windlass_plugin::{Context, Error, OneOrMany, Outcome, Request, Result, Step, log};

use crate::acr_tasks::{self, Sent};
use crate::inputs::{self, Backend, Inputs};
use crate::outputs::{Built, Outputs};
use crate::product::Product;
use crate::source::Script;
use crate::{declared, epoch, provenance, publish, rebased, source, stages};

/// The plugin.
#[derive(Debug)]
pub struct BuildImage;

impl Step for BuildImage {
    const NAME: &'static str = "build-image";
    const SUMMARY: &'static str = "builds images from Dockerfiles, or from files alone";
    type Inputs = Inputs;
    type Outputs = Outputs;

    fn requests() -> Vec<Request> {
        inputs::requests()
    }

    fn run(inputs: Inputs, context: &Context) -> Result<Outcome<Outputs>> {
        if inputs.builder == Backend::AcrTasks {
            let limit = acr::patience(context.deadline);
            return acr_tasks::build(&inputs, context.dry_run, limit, &Azure::open(&inputs)?);
        }
        acr_tasks::refuse_azure(&inputs)?;
        build(&inputs, context.dry_run, context.source_date_epoch)
    }
}

windlass_plugin::step!(BuildImage);

/// Azure through the host, and the context that is sent to it.
struct Azure {
    gate: Gate,
    /// None of a context that Azure fetches.
    files: Option<Files>,
    file: String,
    added: Vec<GivenFile>,
}

impl Azure {
    fn open(inputs: &Inputs) -> Result<Self> {
        let files = match acr_tasks::is_remote(&inputs.context) {
            true => None,
            false => Some(Files::open(&inputs.context)?),
        };
        if let Some(files) = &files {
            source::ignore(inputs, files)?;
        }
        let given = |text: &String| GivenFile {
            path: acr_tasks::GIVEN.to_owned(),
            content: text.as_bytes().to_vec(),
            mode: 0o644,
        };
        let added = inputs.dockerfile.iter().map(given).collect();
        Ok(Self { gate: Gate::default(), files, file: inputs.file.clone(), added })
    }
}

impl acr_tasks::Cloud for Azure {
    type Http = Gate;

    fn http(&self) -> &Gate {
        &self.gate
    }

    fn secret(&self, name: &str) -> Result<Secret> {
        secrets::get(name)
    }

    fn has_file(&self) -> Result<bool> {
        match &self.files {
            Some(files) if self.added.is_empty() => Ok(files.read(&self.file)?.is_some()),
            Some(_) | None => Ok(true),
        }
    }

    fn upload(&self, url: &str, headers: &[(&str, &str)]) -> Result<Sent> {
        let files = match &self.files {
            Some(files) => files,
            None => return Err(Error::failed("a context that Azure fetches is not sent")),
        };
        let keep = self.added.is_empty().then_some(self.file.as_str());
        let sent = files.upload(url, headers, keep, &self.added)?;
        Ok(Sent { status: sent.status(), text: sent.text(), size: sent.size() })
    }

    fn revision(&self) -> Option<String> {
        self.files.as_ref().and_then(Files::revision)
    }

    fn line(&self, text: &str) {
        log::info!("{text}");
    }
}

/// What is built from.
enum Recipe {
    Dockerfile(Script),
    Image(inputs::Image),
    Rebase(inputs::Rebase),
}

fn build(inputs: &Inputs, dry_run: bool, outside: Option<u64>) -> Result<Outcome<Outputs>> {
    let started = Instant::now();
    let files = match &inputs.rebase {
        Some(_) => Files::given(&[])?,
        None => Files::open(&inputs.context)?,
    };
    let recipe = recipe(inputs, &files)?;
    let mut outputs = Outputs { revision: files.revision(), ..Outputs::default() };
    if let Recipe::Dockerfile(script) = &recipe {
        outputs.warnings += lint(script)?;
    }
    if dry_run {
        return Ok(look(inputs, &recipe, outputs, started));
    }
    let epoch = epoch::resolve(inputs, outside, &files)?;
    let mut products: Vec<Product> = Vec::new();
    for platform in platforms(&inputs.platforms) {
        let builder = builder(inputs, platform.as_deref(), epoch)?;
        products.push(match &recipe {
            Recipe::Dockerfile(script) => {
                let (product, warnings) = stages::build(inputs, script, &files, &builder, epoch)?;
                outputs.warnings = outputs.warnings.max(warnings);
                product
            }
            Recipe::Image(image) => declared::build(inputs, image, &files, &builder, epoch)?,
            Recipe::Rebase(rebase) => rebased::build(rebase, &builder)?,
        });
    }
    let (output, images) = publish::assemble(inputs, &products)?;
    let statements: Vec<String> = match inputs.provenance {
        true => products
            .iter()
            .zip(&images)
            .map(|(product, image)| {
                provenance::statement(inputs, product, image, outputs.revision.as_deref())
            })
            .collect(),
        false => Vec::new(),
    };
    let written = publish::publish(inputs, &output, &products, &images, &statements)?;
    let root = output.descriptor()?;
    outputs.digest = root.digest;
    outputs.media_type = root.media_type;
    outputs.changed = written.targets.iter().any(|target| target.changed);
    outputs.targets = written.targets;
    outputs.bytes = written.bytes;
    outputs.sboms = written.sboms;
    outputs.provenance = written.provenance;
    for (product, image) in products.iter().zip(&images) {
        outputs.images.push(Built {
            platform: product.platform.clone(),
            digest: image.digest.clone(),
            new_layers: product.new_layers(),
        });
        outputs.steps.done += product.steps.done;
        outputs.steps.cached += product.steps.cached;
        for base in &product.bases {
            if !outputs.bases.contains(base) {
                outputs.bases.push(base.clone());
            }
        }
    }
    outputs.duration_ms = elapsed(started);
    let summary = format!(
        "{} ({} done, {} cached)",
        outputs.digest, outputs.steps.done, outputs.steps.cached
    );
    let outcome = match outputs.changed || outputs.targets.is_empty() {
        true => Outcome::changed(outputs),
        false => Outcome::unchanged(outputs),
    };
    Ok(outcome.summary(summary))
}

fn recipe(inputs: &Inputs, files: &Files) -> Result<Recipe> {
    let said = [
        (inputs.dockerfile.is_some(), "dockerfile"),
        (inputs.image.is_some(), "image"),
        (inputs.rebase.is_some(), "rebase"),
    ];
    let said: Vec<&str> = said.iter().filter(|(is, _)| *is).map(|(_, key)| *key).collect();
    if said.len() > 1 {
        return Err(Error::invalid(format!("`{}` cannot stand together", said.join("` and `")))
            .hint("use one step for each image"));
    }
    Ok(match (&inputs.image, &inputs.rebase) {
        (Some(image), _) => Recipe::Image(image.clone()),
        (None, Some(rebase)) => Recipe::Rebase(rebase.clone()),
        (None, None) => Recipe::Dockerfile(Script::read(inputs, files)?),
    })
}

/// Says what BuildKit's rules find; an error if the file asks for one.
fn lint(script: &Script) -> Result<u32> {
    let found = script.file.lint();
    let count = script.warn(&found);
    match script.file.directives.check.error && count > 0 {
        true => Err(script.error(&found)),
        false => Ok(count),
    }
}

/// What can be told without building.
fn look(
    inputs: &Inputs,
    recipe: &Recipe,
    mut outputs: Outputs,
    started: Instant,
) -> Outcome<Outputs> {
    let what = match recipe {
        Recipe::Dockerfile(script) => format!("`{}`", script.name),
        Recipe::Image(image) => match &image.base {
            Some(base) => format!("files on {base}"),
            None => "files alone".to_owned(),
        },
        Recipe::Rebase(rebase) => format!("{} on a new base", rebase.image),
    };
    let to = match inputs.tags.is_empty() {
        true => "and written nowhere".to_owned(),
        false => format!("and written to {}", inputs.tags.join(", ")),
    };
    outputs.duration_ms = elapsed(started);
    Outcome::changed(outputs).summary(format!("{what} would be built, {to}"))
}

fn builder(inputs: &Inputs, platform: Option<&str>, epoch: u64) -> Result<Builder> {
    let mut builder = Builder::new(platform).source_date_epoch(epoch);
    builder = builder.compression(match inputs.compression {
        inputs::Compression::Gzip => Compression::Gzip,
        inputs::Compression::Zstd => Compression::Zstd,
        inputs::Compression::None => Compression::None,
    });
    if inputs.no_cache {
        builder = builder.no_cache();
    }
    for place in &inputs.cache_from {
        builder = builder.cache_from(&Repository::open(place, Access::PULL)?);
    }
    if let Some(place) = &inputs.cache_to {
        builder = builder.cache_to(&Repository::open(place, Access::PULL | Access::PUSH)?);
    }
    Ok(builder)
}

/// The platforms to build for; none is that of this machine.
fn platforms(said: &OneOrMany) -> Vec<Option<String>> {
    match said.as_slice() {
        [] => vec![None],
        list => {
            list.iter().map(|platform| (platform != "system").then(|| platform.clone())).collect()
        }
    }
}

fn elapsed(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}
