//! What Azure is told: the body of `importImage`.

use arm::{Body, Http, ResourceId};
use serde_json::{Value, json};
use windlass_plugin::{Error, Result};

use super::source::{Parts, split};
use super::{Azure, Import, Importer};
use crate::import::Order;

impl<A: Azure> Importer<'_, '_, A> {
    /// What Azure is told.
    pub(super) fn body(
        &self,
        import: &Import,
        todo: &[&Order],
    ) -> Result<Body<<A::Http as Http>::Secret>> {
        let mut source = self.source(&split(&import.source))?;
        if self.inputs.password.is_some()
            && let Value::Object(source) = &mut source
        {
            let mut credentials = json!({ "password": "" });
            if let (Value::Object(map), Some(user)) = (&mut credentials, &self.inputs.username) {
                map.insert("username".to_owned(), user.as_str().into());
            }
            source.insert("credentials".to_owned(), credentials);
        }
        let mode = if self.inputs.force { "Force" } else { "NoForce" };
        let mut value = json!({ "source": source, "mode": mode });
        let repository = |order: &Order| split(&order.target).repository;
        let tagged = todo.iter().filter_map(|order| {
            let tag = order.tag.as_ref()?;
            Some(format!("{}:{tag}", repository(order)))
        });
        let untagged =
            todo.iter().filter(|order| order.tag.is_none()).map(|order| repository(order));
        let lists: [(&str, Vec<String>); 2] =
            [("targetTags", tagged.collect()), ("untaggedTargetRepositories", untagged.collect())];
        for (key, list) in lists {
            if let (Value::Object(map), false) = (&mut value, list.is_empty()) {
                map.insert(key.to_owned(), list.into());
            }
        }
        let body = Body::from(value);
        Ok(match &self.inputs.password {
            Some(name) => body.sealed("/source/credentials/password", self.azure.secret(name)?),
            None => body,
        })
    }

    /// Where the image comes from: a registry of Azure by its id, so that it is read as the identity;
    /// any other by its host.
    fn source(&self, parts: &Parts) -> Result<Value> {
        if let Some(named) = &self.inputs.source_registry {
            let id = match named.starts_with('/') {
                true => named.parse::<ResourceId>()?,
                false => self.registries.whole(self.arm)?.expect(named)?.id.clone(),
            };
            if !id.is_a(acr::KIND) {
                return Err(Error::invalid(format!("`{named}` is no registry")).hint(
                    "the id of a registry ends with \
                     `/providers/Microsoft.ContainerRegistry/registries/NAME`",
                ));
            }
            let image = parts.in_registry(id.name());
            return Ok(json!({ "resourceId": id.to_string(), "sourceImage": image }));
        }
        let (host, image) = parts.on_registry();
        // Who brings credentials is somebody else there.
        if self.inputs.password.is_none() {
            let near = self.registries.find(&host).map(|registry| registry.id.clone());
            let id = match near {
                None if acr::is_login_server(&host) => {
                    let whole = self.registries.whole(self.arm)?;
                    whole.find(&host).map(|registry| registry.id.clone())
                }
                near => near,
            };
            if let Some(id) = id {
                return Ok(json!({ "resourceId": id.to_string(), "sourceImage": image }));
            }
        }
        Ok(json!({ "registryUri": host, "sourceImage": image }))
    }
}
