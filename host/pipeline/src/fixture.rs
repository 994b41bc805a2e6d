//! The plugins of this room's tests.

use serde_json::json;

use crate::{CapabilityRequest, Catalog, CatalogError, PluginFacts};

/// A few plugins that stand for builtin ones and for one of a third party.
pub(crate) struct Fixture;

impl Catalog for Fixture {
    fn plugin(&self, uses: &str) -> Result<PluginFacts, CatalogError> {
        match uses {
            "import-image" => Ok(import_image()),
            "store-secret" => Ok(store_secret()),
            "watch-base-image" => Ok(watch_base_image()),
            "oci://ghcr.io/acme/notify:1.2" | "https://acme.example/notify.wasm" => Ok(notify()),
            "file:./broken.wasm" => {
                Ok(PluginFacts { inputs_schema: json!({ "type": 7 }), ..notify() })
            }
            _ => Err(CatalogError {
                message: "there is no such plugin".to_owned(),
                help: Some("`windlass plugin list` shows what there is".to_owned()),
                known: vec!["import-image".to_owned(), "store-secret".to_owned()],
            }),
        }
    }
}

fn facts(name: &str, builtin: bool) -> PluginFacts {
    PluginFacts {
        name: name.to_owned(),
        version: "0.1.0".to_owned(),
        digest: format!("sha256:{}", "ab".repeat(32)),
        builtin,
        summary: format!("The plugin {name}"),
        inputs_schema: json!({ "type": "object" }),
        outputs_schema: json!({ "type": "object" }),
        requests: Vec::new(),
    }
}

fn request(capability: &str, value: &str) -> CapabilityRequest {
    let (capability, value) = (capability.to_owned(), value.to_owned());
    CapabilityRequest { capability, value, reason: "to do its work".to_owned() }
}

fn import_image() -> PluginFacts {
    PluginFacts {
        inputs_schema: json!({
            "type": "object",
            "properties": {
                "source": {
                    "description": "what to import",
                    "anyOf": [
                        { "type": "string" },
                        { "type": "array", "items": { "type": "string" }, "minItems": 1 },
                    ],
                },
                "target": { "type": "string", "description": "where it goes" },
                "platforms": { "type": "array", "items": { "type": "string", "pattern": "^[a-z]+/[a-z0-9]+$" } },
                "force": { "type": "boolean", "default": false },
                "layers": { "enum": ["keep", "squash"] },
                "parallel": { "type": "integer", "minimum": 1, "default": 4 },
            },
            "required": ["source", "target"],
            "additionalProperties": false,
        }),
        outputs_schema: json!({
            "type": "object",
            "properties": {
                "changed": { "type": "boolean" },
                "digest": { "type": "string" },
                "tags": { "type": "array" },
                "source-digest": { "type": "string" },
            },
        }),
        requests: vec![
            request("oci.pull", "{{ inputs.source }}"),
            request("oci.push", "{{ inputs.target }}"),
        ],
        ..facts("import-image", true)
    }
}

fn store_secret() -> PluginFacts {
    PluginFacts {
        inputs_schema: json!({
            "type": "object",
            "properties": { "secret": { "type": "string" }, "from": { "type": "string" } },
            "required": ["secret"],
            "additionalProperties": false,
        }),
        outputs_schema: json!({ "type": "object", "properties": { "version": { "type": "string" } } }),
        requests: vec![
            request("secrets.write", "{{ inputs.secret }}"),
            request("secrets.use", "{{ inputs.from }}"),
        ],
        ..facts("store-secret", true)
    }
}

fn watch_base_image() -> PluginFacts {
    PluginFacts {
        inputs_schema: json!({
            "type": "object",
            "properties": {
                "images": { "type": "array", "items": { "type": "string" } },
                "bases-of": { "type": ["array", "null"] },
                "settle": { "type": "string" },
                "platforms": { "type": "array", "items": { "type": "string" } },
                "first-seen": { "enum": ["arm", "fire"] },
                "keep-going": { "type": "boolean" },
            },
            "additionalProperties": false,
        }),
        requests: vec![request("oci.pull", "{{ inputs.images }}")],
        ..facts("watch-base-image", true)
    }
}

fn notify() -> PluginFacts {
    PluginFacts {
        inputs_schema: json!({
            "type": "object",
            "properties": {
                "text": { "type": "string" },
                "url": { "type": "string" },
                "extra": { "type": "object", "properties": { "level": { "type": "integer" } } },
            },
            "required": ["text"],
        }),
        ..facts("notify", false)
    }
}
