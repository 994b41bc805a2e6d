//! The builder of the emulated ACR Tasks: a run of a pipeline with one step of `build-image`.
//!
//! It pulls and pushes through the emulator's own door, as the application that may do everything: so
//! bases come from the emulated registries, and from those of the outside that the emulator was told
//! the place of; contexts that are repositories too.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use ::azure_emulator::{Base, Build, Builder, Built, Config, Context, Names, Product};
use futures::future::BoxFuture;
use report::{Fault, Kind, Mask, Source};
use run::{Event, EventKind, EventSink, SystemClock};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::plugins::{Plugins, Use};
use crate::settings::Settings;
use crate::wiring::{self, Runner};

/// The file with the application's secret, beside the pipeline.
const SECRET: &str = "application-secret";

/// Builds images for the emulator.
pub(super) struct PipelineBuilder {
    settings: Settings,
    names: Names,
    ca: std::path::PathBuf,
    proxy: OnceLock<String>,
}

/// Passes on what the build says, as lines.
struct Lines(UnboundedSender<String>);

impl EventSink for Lines {
    fn emit(&self, event: &Event) {
        if let EventKind::Log { message: line, .. } | EventKind::GroupStarted { title: line, .. } =
            &event.kind
        {
            // Nobody listens any more when the build was stopped.
            _ = self.0.send(line.clone());
        }
    }
}

impl PipelineBuilder {
    pub(super) fn new(config: &Config, settings: &Settings) -> Self {
        Self {
            settings: settings.clone(),
            names: config.names.clone(),
            ca: config.state.join("ca.pem"),
            proxy: OnceLock::new(),
        }
    }

    /// Where the emulator's door is, once it is known.
    pub(super) fn goes_through(&self, proxy: String) {
        _ = self.proxy.set(proxy);
    }

    async fn built(&self, build: &Build) -> Result<Product, Fault> {
        let private = tempfile::tempdir()
            .map_err(|error| Fault::new(Kind::Failed, "no folder can be made").cause(error))?;
        let (base, context) = match &build.context {
            Context::Folder(folder) => {
                let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
                let above = folder.parent().unwrap_or(Path::new("/"));
                (above.to_owned(), name.unwrap_or_default())
            }
            Context::Remote(url) if url.starts_with("https://") => {
                (private.path().to_owned(), url.clone())
            }
            Context::Empty => {
                return Err(Fault::new(Kind::Invalid, "the build has no context"));
            }
            Context::Remote(url) => {
                let message = format!(
                    "`{url}` is not fetched by the emulator: upload a folder, or name a git \
                     repository, https://HOST/REPOSITORY.git"
                );
                return Err(Fault::new(Kind::Invalid, message));
            }
        };
        let secret = private.path().join(SECRET);
        fs_err::write(&secret, self.names.secret.expose())
            .map_err(|error| Fault::new(Kind::Failed, "the secret cannot be kept").cause(error))?;
        let mask = Mask::new();
        for argument in build.arguments.iter().filter(|argument| argument.is_secret) {
            mask.learn(&argument.value);
        }
        let text = self.pipeline(build, &context, &secret);
        let result = self.run(build, text, &base, mask).await?;
        let mut product = Product::default();
        let ends = result.record.steps.into_iter().flat_map(|step| step.instances);
        for end in ends.filter_map(|instance| instance.end) {
            if let Some(fault) = end.fault {
                return Err(fault);
            }
            product.bases.extend(bases(&end.outputs));
        }
        for image in build.images.iter().filter(|_| build.push) {
            product.images.push(found(build, image).await?);
        }
        Ok(product)
    }

    /// The pipeline, as JSON: every TOML value has a form there.
    fn pipeline(&self, build: &Build, context: &str, secret: &Path) -> Value {
        let tags: Vec<String> = build
            .images
            .iter()
            .filter(|_| build.push)
            .map(|image| format!("{}/{image}", build.login_server))
            .collect();
        let args: Map<String, Value> = build
            .arguments
            .iter()
            .map(|argument| {
                let value = String::from_utf8_lossy(argument.value.expose()).into_owned();
                (argument.name.clone(), value.into())
            })
            .collect();
        let login = json!({ "identity": "emulator" });
        let servers = build.registries();
        // Whatever the emulator leads to; others it would refuse.
        let bases = servers.iter().cloned().chain(build.upstreams());
        let bases: Vec<String> = bases.map(|host| format!("{host}/**")).collect();
        let registries: Map<String, Value> =
            servers.into_iter().map(|server| (server, login.clone())).collect();
        let mut with = json!({
            "context": context,
            "file": build.dockerfile,
            "args": args,
            "tags": tags,
            "platforms": [build.platform],
            "bases": bases,
            "no-cache": build.no_cache,
        });
        if let (Some(target), Some(with)) = (&build.target, with.as_object_mut()) {
            with.insert("target".to_owned(), target.as_str().into());
        }
        json!({
            "schema": 1,
            "pipeline": { "name": "acr-tasks" },
            "secrets": { "application": { "from": "file", "path": secret } },
            "identity": { "emulator": {
                "kind": "azure",
                "tenant": self.names.tenant,
                "client-id": self.names.application,
                "client-secret": { "secret": "application" },
            } },
            "registries": registries,
            "step": [{ "id": "build", "uses": "build-image", "with": with }],
        })
    }

    async fn run(
        &self,
        build: &Build,
        pipeline: Value,
        base: &Path,
        mask: Mask,
    ) -> Result<run::RunResult, Fault> {
        let text = toml::to_string(&pipeline)
            .map_err(|error| Fault::new(Kind::Internal, "no pipeline").cause(error))?;
        let wrong = |problems: Vec<report::Diagnostic>| {
            let fault = Fault::new(Kind::Invalid, "the build cannot be planned");
            problems.into_iter().fold(fault, |fault, problem| fault.cause(problem.message))
        };
        let mut settings = self.settings.clone();
        settings.proxy.https = self.proxy.get().cloned();
        settings.proxy.no_proxy = None;
        // Whoever answers behind the door answers with its certificates.
        settings.ca_files.push(self.ca.clone());
        let source = Source::new("acr-tasks", text);
        let pipeline = pipeline::parse(&source).map_err(wrong)?;
        let backends = wiring::backends(Some(&pipeline), base, &settings, mask.clone())?;
        let engine = wasm::Engine::new(wiring::compile_cache(&settings))?;
        let uses = vec![Use { uses: "build-image".to_owned(), sha256: None }];
        let plugins = Plugins::load(&engine, uses, base, &backends, &|_| {}).await;
        let plan =
            pipeline::plan(&pipeline, &pipeline::Given::default(), &plugins).map_err(wrong)?;
        let (to, mut lines) = unbounded_channel();
        let engine = run::Engine {
            runner: Arc::new(Runner {
                pipeline: plan.name.clone(),
                plugins,
                backends,
                source_date_epoch: None,
            }),
            sink: Arc::new(Lines(to)),
            clock: Arc::new(SystemClock),
            mask,
        };
        let options = run::Options::new(build.run.clone());
        let stop = run::Stop::new();
        let running = async move { run::execute(&plan, &engine, &options, &stop).await };
        let listening = async {
            while let Some(line) = lines.recv().await {
                build.log(&line);
            }
        };
        Ok(tokio::join!(running, listening).0)
    }
}

/// What the outputs of `build-image` say that was read; without a tag nothing can change.
fn bases(outputs: &Value) -> Vec<Base> {
    let read = |base: &Value| {
        let text = |key: &str| base.get(key).and_then(Value::as_str);
        let name: oci::Reference = text("name")?.parse().ok()?;
        Some(Base {
            registry: name.registry().to_string(),
            repository: name.repository().to_string(),
            tag: name.tag()?.to_string(),
            digest: text("digest")?.parse().ok()?,
            is_runtime: base.get("runtime").and_then(Value::as_bool)?,
        })
    };
    let bases = outputs.get("bases").and_then(Value::as_array);
    bases.into_iter().flatten().filter_map(read).collect()
}

/// What stands in the registry under `image`.
async fn found(build: &Build, image: &str) -> Result<Built, Fault> {
    let (repository, tag) = image.rsplit_once(':').unwrap_or((image, "latest"));
    let missing =
        |why: String| Fault::new(Kind::Failed, format!("`{image}` was not pushed: {why}"));
    let store = build.repository(&build.login_server, repository).map_err(missing)?;
    let wrong = |error: &dyn std::fmt::Display| missing(error.to_string());
    let selector = tag.parse::<oci::Tag>().map_err(|error| wrong(&error))?;
    let found = store.resolve(&oci::Selector::Tag(selector)).await.map_err(Fault::from)?;
    let found = found.ok_or_else(|| missing("there is no such tag".to_owned()))?;
    Ok(Built {
        repository: repository.to_owned(),
        tag: tag.to_owned(),
        media_type: found.media_type.to_string(),
        size: found.size,
        digest: found.digest,
    })
}

impl Builder for PipelineBuilder {
    fn build<'a>(&'a self, build: &'a Build) -> BoxFuture<'a, Result<Product, String>> {
        Box::pin(async { self.built(build).await.map_err(|fault| fault.to_string()) })
    }
}
