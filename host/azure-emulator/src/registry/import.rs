//! `importImage`: copies an image from where it is into a registry, as `az acr import` asks for it.

use std::sync::{Arc, Mutex, PoisonError};

use oci::{Content, CopyEvent, CopyObserver, CopyOptions, Digest, Selector, Store, Tag};
use report::Secret;
use serde::Deserialize;

use super::control::Registry;
use super::source::{self, Login, NoSource, chain};
use super::{data, event};
use crate::answer::{Answer, Answered, Refusal};
use crate::arm::Admitted;
use crate::arm::operation::{RETRY_AFTER, Ticket};
use crate::azure::Azure;
use crate::role::Right;

/// Manifests of one image, as Azure limits them.
const MOST_MANIFESTS: usize = 50;

/// Targets of one import.
const MOST_TARGETS: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    source: From,
    #[serde(default)]
    target_tags: Vec<String>,
    #[serde(default)]
    untagged_target_repositories: Vec<String>,
    #[serde(default)]
    mode: Mode,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
enum Mode {
    #[default]
    NoForce,
    Force,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct From {
    registry_uri: Option<String>,
    resource_id: Option<String>,
    source_image: String,
    credentials: Option<GivenCredentials>,
}

#[derive(Deserialize)]
struct GivenCredentials {
    #[serde(default)]
    username: Option<String>,
    password: String,
}

/// What is to be done, with every name understood.
struct Job {
    from: Arc<dyn Store>,
    selector: Selector,
    expect: Option<Digest>,
    targets: Vec<(String, Option<Tag>)>,
    mode: Mode,
}

pub(super) fn answer(admitted: &Admitted<'_>, registry: &Registry) -> Answered {
    let Admitted { azure, call, .. } = admitted;
    let body: Body = call.document()?;
    let job = job(admitted, body)?;
    let version = call.query("api-version").unwrap_or_default();
    let at = format!(
        "{}/providers/Microsoft.ContainerRegistry/locations/{}/operationResults",
        azure.subscription_id(),
        registry.location().to_ascii_uppercase()
    );
    let id = format!("registries-{}", uuid::Uuid::new_v4());
    let ticket = azure.operations.begin(azure, call, &registry.id, id, &at, version);
    let answer =
        Answer::empty(202).with("location", ticket.url.clone()).with("retry-after", RETRY_AFTER);
    let place = Place {
        name: registry.name().to_owned(),
        server: registry.login_server().to_owned(),
        id: registry.id.clone(),
    };
    let azure = Arc::clone(azure);
    let worker = Arc::clone(&azure);
    azure.work(async move {
        let outcome = run(&worker, &place, job, &ticket).await;
        worker.operations.end(&worker, &ticket, outcome);
    });
    Ok(answer)
}

struct Place {
    name: String,
    server: String,
    id: String,
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::bad("InvalidParameters", message).target("request")
}

fn job(admitted: &Admitted<'_>, body: Body) -> Result<Job, Refusal> {
    let Body { source, target_tags, untagged_target_repositories: untagged, mode } = body;
    let (repository, tag, digest) = split(&source.source_image)?;
    let targets = targets(&target_tags, &untagged, tag.as_ref())?;
    let from = from(admitted, &source, &repository)?;
    let selector = match (&digest, tag) {
        (Some(digest), _) => Selector::Digest(*digest),
        (None, tag) => Selector::Tag(tag.unwrap_or_else(Tag::latest)),
    };
    Ok(Job { from, selector, expect: digest, targets, mode })
}

fn split(image: &str) -> Result<(String, Option<Tag>, Option<Digest>), Refusal> {
    let wrong = || {
        invalid(format!("The source image '{image}' is not REPOSITORY[:TAG] or REPOSITORY@DIGEST."))
    };
    let (rest, digest) = match image.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest.parse().map_err(|_| wrong())?)),
        None => (image, None),
    };
    let (repository, tag) = match rest.rsplit_once(':') {
        Some((repository, tag)) => (repository, Some(tag.parse().map_err(|_| wrong())?)),
        None => (rest, None),
    };
    let repository: oci::RepositoryName = repository.parse().map_err(|_| wrong())?;
    Ok((repository.as_str().to_owned(), tag, digest))
}

fn targets(
    tags: &[String],
    untagged: &[String],
    source: Option<&Tag>,
) -> Result<Vec<(String, Option<Tag>)>, Refusal> {
    let wrong = |target: &str| invalid(format!("The target '{target}' is not REPOSITORY[:TAG]."));
    let mut found = Vec::new();
    for target in tags {
        let (repository, tag, digest) = split(target).map_err(|_| wrong(target))?;
        if digest.is_some() {
            return Err(wrong(target));
        }
        let tag = tag.or_else(|| source.cloned()).unwrap_or_else(Tag::latest);
        found.push((repository, Some(tag)));
    }
    for target in untagged {
        match split(target) {
            Ok((repository, None, None)) => found.push((repository, None)),
            Ok(_) | Err(_) => return Err(wrong(target)),
        }
    }
    match found.len() {
        0 => Err(invalid("At least one target tag or untagged target repository is required.")),
        1..=MOST_TARGETS => Ok(found),
        _ => Err(invalid("There are too many targets.")),
    }
}

fn from(
    admitted: &Admitted<'_>,
    source: &From,
    repository: &str,
) -> Result<Arc<dyn Store>, Refusal> {
    let azure = admitted.azure;
    let login = source.credentials.as_ref().map(|given| Login {
        username: given.username.clone().unwrap_or_default(),
        password: Secret::new(given.password.as_str()),
    });
    let place = match (&source.registry_uri, &source.resource_id) {
        (Some(uri), None) => {
            let host = uri.trim_start_matches("https://").trim_end_matches('/');
            let inside = azure.store.read(|world| world.registry_at(host).cloned());
            match inside {
                Some(registry) => {
                    // Without a login it is the caller who pulls.
                    match &login {
                        Some(login) => {
                            let allowed =
                                data::auth::allows(azure, &registry, login, repository, "pull");
                            allowed.then_some(()).ok_or_else(|| {
                                invalid(format!("Error copying blobs. The registry '{host}' does not accept the credentials for '{repository}'."))
                            })?;
                        }
                        None => may_pull(admitted, &registry)?,
                    }
                    source::inside(azure, registry.name(), repository)
                }
                None => source::outside(azure, host, repository, login),
            }
        }
        (None, Some(id)) => {
            let registry = azure.store.read(|world| world.resource(id).cloned());
            let registry = registry.ok_or_else(|| {
                Refusal::new(
                    404,
                    "ResourceNotFound",
                    format!("The source registry '{id}' was not found."),
                )
            })?;
            may_pull(admitted, &registry)?;
            source::inside(azure, registry.name(), repository)
        }
        (Some(_), Some(_)) | (None, None) => {
            return Err(invalid("Exactly one of 'registryUri' and 'resourceId' is required."));
        }
    };
    place.map_err(|error: NoSource| invalid(format!("Error copying blobs: {error}.")))
}

fn may_pull(admitted: &Admitted<'_>, registry: &crate::world::Resource) -> Result<(), Refusal> {
    let right = match super::control::is_abac(registry) {
        true => Right::Data(crate::role::CONTENT_READ),
        false => Right::Action(crate::role::PULL),
    };
    let id = registry.id();
    match admitted.azure.store.read(|world| admitted.may(world, right, id)) {
        true => Ok(()),
        false => {
            let message = format!(
                "The client '{}' with object id '{}' has permission to perform action 'Microsoft.ContainerRegistry/registries/importImage/action' on the target, however it does not have permission to pull from the linked scope '{id}'.",
                admitted.caller.appid, admitted.caller.oid
            );
            Err(Refusal::new(403, "LinkedAuthorizationFailed", message))
        }
    }
}

async fn run(azure: &Azure, place: &Place, job: Job, ticket: &Ticket) -> Result<(), Refusal> {
    let failed = |why: String| {
        invalid(format!(
            "Error copying blobs. {why}. Operation {} failed. Resource {}",
            ticket.id, place.id
        ))
    };
    let manifest = job.from.manifest(&job.selector).await.map_err(|e| failed(chain(&e)))?;
    if let Content::Index(index) = manifest.content()
        && index.manifests.len() > MOST_MANIFESTS
    {
        return Err(invalid(format!(
            "The image has more than {MOST_MANIFESTS} manifests, which cannot be imported."
        )));
    }
    let mut stores = Vec::new();
    for (repository, tag) in &job.targets {
        let store =
            source::inside(azure, &place.name, repository).map_err(|e| failed(e.to_string()))?;
        if let (Some(tag), Mode::NoForce) = (tag, job.mode)
            && store
                .resolve(&Selector::Tag(tag.clone()))
                .await
                .map_err(|e| failed(chain(&e)))?
                .is_some()
        {
            let message = format!("Tag {repository}:{tag} already exists in target registry.");
            return Err(Refusal::new(409, "Conflict", message).target("request"));
        }
        stores.push((repository, tag, store));
    }
    for (repository, tag, store) in stores {
        let options = CopyOptions {
            tags: tag.iter().cloned().collect(),
            force: job.mode == Mode::Force,
            expect: job.expect,
            ..CopyOptions::default()
        };
        let seen = Seen::default();
        let copied = oci::copy(&*job.from, &job.selector, &*store, &options, &seen).await;
        let copied = copied.map_err(|error| failed(chain(&error)))?;
        let digest = copied.descriptor.digest.to_string();
        let manifests = seen.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let pushed = event::Pushed {
            registry: &place.name,
            server: &place.server,
            repository,
            tag: tag.as_ref().map(Tag::as_str),
            digest: &digest,
            media_type: copied.descriptor.media_type.as_str(),
            size: copied.descriptor.size,
        };
        event::pushed(azure, &pushed, &manifests)?;
    }
    Ok(())
}

/// The manifests that came along.
#[derive(Default)]
struct Seen(Mutex<Vec<String>>);

impl CopyObserver for Seen {
    fn observe(&self, event: CopyEvent<'_>) {
        if let CopyEvent::Manifest { descriptor, .. } = event {
            let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            seen.push(descriptor.digest.to_string());
        }
    }
}
