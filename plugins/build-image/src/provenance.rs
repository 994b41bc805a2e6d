//! How an image was built: SLSA provenance v1 in an in-toto statement.
//!
//! Specifications: <https://slsa.dev/spec/v1.0/provenance> and in-toto's Statement v1. Said is what is
//! known for certain: the inputs of the step, the bases by digest, the commit. Times are not, so that
//! the same build gives the same statement.

use serde_json::{Map, Value, json};
use windlass_plugin::oci::Descriptor;

use crate::inputs::Inputs;
use crate::product::Product;

const STATEMENT: &str = "https://in-toto.io/Statement/v1";
const PREDICATE: &str = "https://slsa.dev/provenance/v1";
const BUILD_TYPE: &str = "https://windlass-ci.github.io/build-image/v1";
const BUILDER: &str = "https://windlass-ci.github.io/windlass";

/// The statement about one image, JSON.
#[must_use]
pub fn statement(
    inputs: &Inputs,
    product: &Product,
    image: &Descriptor,
    revision: Option<&str>,
) -> String {
    let names = match inputs.tags.is_empty() {
        true => vec![String::new()],
        false => inputs.tags.clone(),
    };
    let subjects: Vec<Value> = names
        .iter()
        .map(|name| json!({ "name": name, "digest": digest_set(&image.digest) }))
        .collect();
    let mut materials: Vec<Value> = product
        .bases
        .iter()
        .map(|base| {
            json!({
                "uri": format!("pkg:docker/{}", base.name),
                "digest": digest_set(&base.manifest),
                "annotations": { "platform": base.platform, "runtime": base.runtime },
            })
        })
        .collect();
    if let Some(revision) = revision {
        materials.push(json!({
            "uri": inputs.context,
            "digest": { "gitCommit": revision },
        }));
    }
    let parameters = json!({
        "context": inputs.context,
        "file": inputs.file,
        "target": inputs.target,
        "platform": product.platform,
        "args": inputs.args,
        "secrets": inputs.secrets,
        "network": inputs.network,
    });
    let parameters: Map<String, Value> = match parameters {
        Value::Object(fields) => fields.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    };
    json!({
        "_type": STATEMENT,
        "subject": subjects,
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": parameters,
                "resolvedDependencies": materials,
            },
            "runDetails": {
                "builder": {
                    "id": BUILDER,
                    "version": { "build-image": env!("CARGO_PKG_VERSION") },
                },
            },
        },
    })
    .to_string()
}

/// `sha256:…` as in-toto writes it.
fn digest_set(digest: &str) -> Value {
    let (algorithm, hex) = digest.split_once(':').unwrap_or(("sha256", digest));
    json!({ algorithm: hex })
}
