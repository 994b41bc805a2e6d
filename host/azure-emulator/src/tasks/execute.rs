//! Running: a run from `Queued` to its end.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::builder::{Base, Build, Context, Product};
use super::log::Log;
use super::schedule::{Order, Source, Work};
use super::{base, container, context, run};
use crate::azure::Azure;
use crate::clock;
use crate::json::set;
use crate::registry::control::Registry;
use crate::registry::event;
use crate::registry::source::chain;

/// How a run ended.
enum End {
    Succeeded(Product),
    Failed(String),
    Canceled,
    Timeout,
}

/// Runs what was queued as `id`, of a task if there is one.
pub(super) fn start(
    azure: &Arc<Azure>,
    registry: &Registry,
    id: String,
    order: Order,
    task: Option<String>,
) {
    let stop = azure.running.begin(&id);
    let place = Place {
        container: container(registry),
        registry: registry.name().to_owned(),
        server: registry.login_server().to_owned(),
        name: id.rsplit('/').next().unwrap_or_default().to_owned(),
    };
    let log = Log::new(run::log_file(azure, registry, &id), azure.clock().clone());
    let worker = Arc::clone(azure);
    azure.work(async move {
        let end = work(&worker, &id, &place, order, log, stop).await;
        let bases = match &end.0 {
            End::Succeeded(product) => Some(product.bases.clone()),
            End::Failed(_) | End::Canceled | End::Timeout => None,
        };
        finish(&worker, &id, &place, end);
        worker.running.end(&id);
        if let (Some(task), Some(bases)) = (task, bases) {
            base::learn(&worker, &task, &bases).await;
        }
    });
}

struct Place {
    container: String,
    registry: String,
    server: String,
    name: String,
}

fn noted(changed: Result<(), crate::answer::Refusal>) {
    if changed.is_err() {
        tracing::warn!("the state of a run could not be written");
    }
}

async fn work(
    azure: &Arc<Azure>,
    id: &str,
    place: &Place,
    order: Order,
    mut log: Log,
    stop: CancellationToken,
) -> (End, Option<Log>) {
    let now = clock::arm(azure.clock().now());
    noted(run::change(azure, id, |properties| {
        set(properties, "status", "Running");
        set(properties, "startTime", now);
    }));
    log.say("Downloading source code...");
    let timeout = Duration::from_secs(order.timeout);
    // The folder has to outlive the build that reads it.
    let (prepared, _folder) = match prepare(azure, place, &order).await {
        Ok((context, folder)) => (context, folder),
        Err(why) => return (End::Failed(why), Some(log)),
    };
    log.say("Finished downloading source code");
    let Work::Docker { dockerfile, target, arguments, images, push, no_cache } = order.work else {
        let why = "the emulator builds Dockerfiles; steps of a task file are not emulated";
        return (End::Failed(why.to_owned()), Some(log));
    };
    let Some(builder) = azure.config.builder.clone() else {
        return (End::Failed("there is no builder".to_owned()), Some(log));
    };
    let server = format!("{}/", place.server);
    let images = images
        .iter()
        .map(|image| {
            let image = image.strip_prefix(&server).unwrap_or(image);
            expand(image, place, azure)
        })
        .collect();
    log.say("Executing step ID: build.");
    let build = Build {
        run: place.name.clone(),
        context: prepared,
        dockerfile,
        target,
        platform: order.platform,
        arguments,
        images,
        push,
        no_cache,
        login_server: place.server.clone(),
        azure: Arc::clone(azure),
        log: Mutex::new(log),
    };
    let end = tokio::select! {
        biased;
        () = stop.cancelled() => End::Canceled,
        built = tokio::time::timeout(timeout, builder.build(&build)) => match built {
            Err(_) => End::Timeout,
            Ok(Ok(product)) => End::Succeeded(product),
            Ok(Err(why)) => End::Failed(why),
        },
    };
    let log = build.log.into_inner().unwrap_or_else(PoisonError::into_inner);
    (end, Some(log))
}

/// Variables in names of images, as the service replaces them.
fn expand(image: &str, place: &Place, azure: &Azure) -> String {
    let date = clock::format(azure.clock().now(), "%Y%m%d-%H%M%Sz");
    [
        ("{{.Run.ID}}", place.name.as_str()),
        ("{{.Run.Registry}}", &place.server),
        ("{{.Run.RegistryName}}", &place.registry),
        ("{{.Run.Date}}", &date),
        ("$ID", &place.name),
    ]
    .iter()
    .fold(image.to_owned(), |text, (name, value)| text.replace(name, value))
}

async fn prepare(
    azure: &Arc<Azure>,
    place: &Place,
    order: &Order,
) -> Result<(Context, Option<tempfile::TempDir>), String> {
    let path = match &order.context {
        Source::Given(context) => return Ok((context.clone(), None)),
        Source::Uploaded(path) => path,
    };
    let missing = || format!("failed to download source code: there is no '{path}'");
    let archive = context::file(&azure.config.state, &place.container, path).ok_or_else(missing)?;
    let unpacked = tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir()?;
        context::unpack(&archive, folder.path())?;
        Ok::<_, std::io::Error>(folder)
    });
    match unpacked.await {
        Ok(Ok(folder)) => Ok((Context::Folder(folder.path().to_owned()), Some(folder))),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => Err(missing()),
        Ok(Err(error)) => Err(format!("failed to unpack source code: {}", chain(&error))),
        Err(_) => Err("failed to unpack source code".to_owned()),
    }
}

fn finish(azure: &Azure, id: &str, place: &Place, (end, log): (End, Option<Log>)) {
    let name = &place.name;
    let none = Product::default();
    let (status, message, product) = match end {
        End::Succeeded(product) => ("Succeeded", None, product),
        End::Failed(why) => ("Failed", Some(format!("failed during run, err: {why}")), none),
        End::Canceled => ("Canceled", None, none),
        End::Timeout => ("Timeout", Some("the run took too long".to_owned()), none),
    };
    let mut images: Vec<Value> = Vec::new();
    for image in &product.images {
        let digest = image.digest.to_string();
        images.push(json!({
            "registry": place.server, "repository": image.repository, "tag": image.tag,
            "digest": digest,
        }));
        let pushed = event::Pushed {
            registry: &place.registry,
            server: &place.server,
            repository: &image.repository,
            tag: Some(&image.tag),
            digest: &digest,
            media_type: &image.media_type,
            size: image.size,
        };
        noted(event::pushed(azure, &pushed, &[]));
    }
    if let Some(mut log) = log {
        tell(&mut log, &product.bases);
        log.raw("");
        log.raw(&match (status, &message) {
            ("Succeeded", _) => format!("Run ID: {name} was successful"),
            (_, Some(why)) => format!("Run ID: {name} failed. Error: {why}"),
            (_, None) => format!("Run ID: {name} was canceled"),
        });
    }
    let now = clock::arm(azure.clock().now());
    noted(run::change(azure, id, |properties| {
        set(properties, "status", status);
        set(properties, "finishTime", now);
        if !images.is_empty() {
            set(properties, "outputImages", images);
        }
        if let Some(message) = message {
            set(properties, "runErrorMessage", message);
        }
    }));
}

/// What a run stands on, as its log ends in Azure.
fn tell(log: &mut Log, bases: &[Base]) {
    if !bases.is_empty() {
        log.say("The following dependencies were found:");
    }
    for base in bases {
        let kind = if base.is_runtime { "runtime-dependency" } else { "buildtime-dependency" };
        let Base { registry, repository, tag, digest, .. } = base;
        for line in [
            &format!("- {kind}:"),
            &format!("    registry: {registry}"),
            &format!("    repository: {repository}"),
            &format!("    tag: {tag}"),
            &format!("    digest: {digest}"),
        ] {
            log.raw(line);
        }
    }
}
