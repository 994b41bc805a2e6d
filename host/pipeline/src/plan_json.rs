//! The plan as JSON: what `windlass plan --format json` prints and a reviewer reads.

use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::plan::{Plan, RegistrySpec, Retry, Rule, SecretFrom, SecretSpec, Step, Trigger};
use crate::schema::TextOrSecret;

/// Raised when a field of the JSON changes its meaning; fields may be added without.
const PLAN_VERSION: u32 = 1;

impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let warnings: Vec<&str> =
            self.warnings.iter().map(|warning| warning.message.as_str()).collect();
        let mut plan = json!({
            "plan-version": PLAN_VERSION,
            "name": self.name,
            "description": self.description,
            "source": self.source.label(),
            "timeout-ms": self.timeout.map(millis),
            "fail-fast": self.fail_fast,
            "inputs": self.inputs,
            "secrets": self.secrets,
            "registries": self.registries,
            "triggers": self.triggers,
            "steps": self.steps,
            "warnings": warnings,
        });
        if let (false, Some(fields)) = (self.identities.is_empty(), plan.as_object_mut()) {
            fields.insert("identities".to_owned(), json!(self.identities));
        }
        plan.serialize(serializer)
    }
}

impl Serialize for Trigger {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let look = match &self.rule {
            Rule::Images { look, .. } => Some(look),
            Rule::Schedule { .. } | Rule::Git { .. } | Rule::Webhook { .. } => None,
        };
        json!({ "name": self.name, "watches": self.watches, "look": look }).serialize(serializer)
    }
}

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let preview = self.preview();
        json!({
            "id": self.id,
            "name": self.name,
            "plugin": self.plugin,
            "needs": self.needs,
            "follows": self.follows,
            "when": self.when.as_ref().map(|condition| condition.text()),
            "matrix": self.matrix.as_ref().map(|matrix| matrix.preview()),
            "inputs": preview.inputs,
            "grant": preview.grant,
            "retry": self.retry,
            "timeout-ms": self.timeout.map(millis),
            "continue-on-error": self.continue_on_error,
            "always": self.always,
            "dry-run": self.dry_run,
            "concurrency": self.concurrency,
        })
        .serialize(serializer)
    }
}

impl Serialize for Retry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        json!({ "attempts": self.attempts, "on": self.on, "backoff-ms": millis(self.backoff) })
            .serialize(serializer)
    }
}

impl Serialize for SecretSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let from = match &self.from {
            SecretFrom::Env { name } => {
                json!({ "from": "env", "name": name, "only-to": self.only_to })
            }
            SecretFrom::File { path } => {
                json!({ "from": "file", "path": path, "only-to": self.only_to })
            }
            SecretFrom::Store { name } => {
                json!({ "from": "store", "name": name, "only-to": self.only_to })
            }
            SecretFrom::Stdin => json!({ "from": "stdin", "only-to": self.only_to }),
            SecretFrom::AzureKeyVault { vault, name, version, identity } => json!({
                "from": "azure-key-vault",
                "vault": vault,
                "name": name,
                "version": version,
                "identity": identity,
                "only-to": self.only_to,
            }),
        };
        from.serialize(serializer)
    }
}

impl Serialize for RegistrySpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut registry = json!({
            "username": self.username,
            "password": self.password,
            "token": self.token,
            "insecure": self.insecure,
            "ca": self.ca,
            "cert": self.cert,
            "key": self.key,
        });
        if let (Some(identity), Some(fields)) = (&self.identity, registry.as_object_mut()) {
            fields.insert("identity".to_owned(), json!(identity));
        }
        registry.serialize(serializer)
    }
}

impl Serialize for TextOrSecret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => text.serialize(serializer),
            Self::Secret(secret) => secret.serialize(serializer),
        }
    }
}

fn millis(duration: Duration) -> Value {
    Value::from(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
