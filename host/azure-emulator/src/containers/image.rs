//! Whether an image can be had, with the credential that a group has for it.

use std::sync::Arc;

use oci::{Selector, Store};
use report::Secret;
use serde_json::Value;

use crate::answer::Refusal;
use crate::azure::Azure;
use crate::faults::Fault;
use crate::json::{at, text};
use crate::registry::source::{self, Login};
use crate::registry::{control, data};
use crate::role::{self, Right};
use crate::world::{Resource, key};

/// An image's name, as docker reads it.
struct Name {
    host: String,
    repository: String,
    selector: Selector,
}

impl Name {
    fn parse(image: &str) -> Option<Self> {
        let (first, rest) = image.split_once('/').unwrap_or(("", image));
        let is_host = first.contains(['.', ':']) || first == "localhost";
        let (host, path) = if is_host { (first, rest) } else { ("docker.io", image) };
        let (path, digest) = match path.split_once('@') {
            Some((path, digest)) => (path, Some(digest.parse().ok()?)),
            None => (path, None),
        };
        let (path, tag) = match path.rsplit_once(':') {
            Some((path, tag)) => (path, tag),
            None => (path, "latest"),
        };
        let selector = match digest {
            Some(digest) => Selector::Digest(digest),
            None => Selector::Tag(tag.parse().ok()?),
        };
        let official = host == "docker.io" && !path.contains('/');
        let repository = if official { format!("library/{path}") } else { path.to_owned() };
        repository.parse::<oci::RepositoryName>().ok()?;
        Some(Self { host: host.to_ascii_lowercase(), repository, selector })
    }
}

/// Looks for all images of a group.
pub(super) async fn check(azure: &Azure, group: &str, document: &Value) -> Result<(), Refusal> {
    for list in ["/properties/initContainers", "/properties/containers"] {
        for container in at(document, list).as_array().into_iter().flatten() {
            find(azure, group, text(container, "/properties/image"), document).await?;
        }
    }
    Ok(())
}

/// Where an image is, if it can be had.
pub(super) async fn find(
    azure: &Azure,
    group: &str,
    image: &str,
    document: &Value,
) -> Result<(Arc<dyn Store>, Selector), Refusal> {
    let inaccessible = || {
        let message = format!(
            "The image '{image}' in container group '{group}' is not accessible. Please check the image and registry credential."
        );
        Refusal::bad("InaccessibleImage", message)
    };
    if azure.faults.strikes(image, &Fault::InaccessibleImage) {
        return Err(inaccessible());
    }
    let name = Name::parse(image).ok_or_else(inaccessible)?;
    let credential = at(document, "/properties/imageRegistryCredentials").as_array();
    let credential = credential
        .and_then(|all| all.iter().find(|c| text(c, "/server").eq_ignore_ascii_case(&name.host)));
    let login = credential.map(|credential| Login {
        username: text(credential, "/username").to_owned(),
        password: Secret::new(text(credential, "/password")),
    });
    let identity = credential.map(|credential| text(credential, "/identity")).unwrap_or_default();
    let inside = azure.store.read(|world| world.registry_at(&name.host).cloned());
    let store = match inside {
        Some(registry) => {
            let allowed = match identity {
                "" => {
                    let nobody = Login { username: String::new(), password: Secret::new("") };
                    let login = login.unwrap_or(nobody);
                    data::auth::allows(azure, &registry, &login, &name.repository, "pull")
                }
                identity => by_identity(azure, &registry, identity, &name.repository),
            };
            if !allowed {
                return Err(inaccessible());
            }
            source::inside(azure, registry.name(), &name.repository)
        }
        None => source::outside(azure, &name.host, &name.repository, login),
    };
    let registry_failed = || {
        let message = format!(
            "An error response is received from the docker registry '{}'. Please retry later.",
            name.host
        );
        Refusal::new(409, "RegistryErrorResponse", message)
    };
    // Where a host is not known to the emulator, nothing is known of its images either.
    let store = store.map_err(|_| registry_failed())?;
    match store.resolve(&name.selector).await {
        Ok(Some(_)) => Ok((store, name.selector)),
        Ok(None) => Err(inaccessible()),
        Err(error) => {
            let kind = report::Fault::from(error).kind;
            let passing = matches!(kind, report::Kind::Transient | report::Kind::Timeout);
            Err(if passing { registry_failed() } else { inaccessible() })
        }
    }
}

/// Whether a user-assigned identity may pull.
fn by_identity(azure: &Azure, registry: &Resource, identity: &str, repository: &str) -> bool {
    azure.store.read(|world| {
        let wanted = key(identity);
        let is_it = |at: &String| key(at) == wanted;
        let found = world.principals.iter().find(|p| p.resource.as_ref().is_some_and(is_it));
        let Some(principal) = found else { return false };
        match control::is_abac(registry) {
            true => role::allows_in(
                world,
                &principal.id,
                Right::Data(role::CONTENT_READ),
                registry.id(),
                Some(repository),
            ),
            false => role::allows(world, &principal.id, Right::Action(role::PULL), registry.id()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(image: &str) -> Option<(String, String, String)> {
        Name::parse(image).map(|name| (name.host, name.repository, name.selector.to_string()))
    }

    #[test]
    fn names_are_read_as_docker_reads_them() {
        assert_eq!(
            parsed("nginx").map(|(h, r, _)| (h, r)),
            Some(("docker.io".to_owned(), "library/nginx".to_owned()))
        );
        assert_eq!(
            parsed("me/app:1").map(|(h, r, _)| (h, r)),
            Some(("docker.io".to_owned(), "me/app".to_owned()))
        );
        let tag = parsed("My.azurecr.io/a/b:v1").unwrap();
        assert_eq!((tag.0.as_str(), tag.1.as_str()), ("my.azurecr.io", "a/b"));
        assert_eq!(parsed("localhost:5000/a").map(|(h, ..)| h), Some("localhost:5000".to_owned()));
    }

    #[test]
    fn others_are_not_names() {
        for image in ["", ":", "a b", "UPPER", "a@sha256:1", "a:", "host.example/"] {
            assert_eq!(parsed(image), None, "{image}");
        }
    }
}
