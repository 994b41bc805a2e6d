use std::collections::BTreeSet;
use std::path::Path;

use report::Source;

use super::*;
use crate::parse::{self, parse};

fn committed() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/schema/pipeline.schema.json")
}

#[test]
fn the_committed_schema_is_the_one_of_the_types() {
    let text = serde_json::to_string_pretty(&json_schema()).unwrap() + "\n";
    let expected =
        snapbox::Data::read_from(&committed(), Some(snapbox::data::DataFormat::Text)).raw();
    snapbox::Assert::new().action_env(snapbox::assert::DEFAULT_ACTION_ENV).eq(text, expected);
}

/// The parser's keys and the schema's, table by table: neither has a key that the other lacks.
#[test]
fn the_schema_has_the_keys_that_are_read() {
    let schema = json_schema();
    let keys = |pointer: &str| -> BTreeSet<String> {
        let properties = schema.pointer(&format!("{pointer}/properties")).unwrap();
        properties.as_object().unwrap().keys().cloned().collect()
    };
    for (pointer, read) in [
        ("", parse::FILE),
        ("/$defs/Header", parse::PIPELINE),
        ("/$defs/InputSpec", parse::INPUT),
        ("/$defs/SecretEntry", parse::SECRET),
        ("/$defs/IdentityEntry", parse::IDENTITY),
        ("/$defs/EndpointsSpec", parse::ENDPOINTS),
        ("/$defs/AssignedSpec", parse::ASSIGNED),
        ("/$defs/RegistryEntry", parse::REGISTRY),
        ("/$defs/SecretRef", parse::SECRET_REF),
        ("/$defs/On", parse::ON),
        ("/$defs/ImageUpdate", parse::IMAGE_UPDATE),
        ("/$defs/Schedule", parse::SCHEDULE),
        ("/$defs/Git", parse::GIT),
        ("/$defs/Webhook", parse::WEBHOOK),
        ("/$defs/StepEntry", parse::STEP),
        ("/$defs/RetrySpec", parse::RETRY),
        ("/$defs/GrantSpec", parse::GRANT),
        ("/$defs/HttpEntry", parse::HTTP),
        ("/$defs/SecretsSpec", parse::SECRETS),
        ("/$defs/OciSpec", parse::OCI),
        ("/$defs/ExecSpec", parse::EXEC),
        ("/$defs/WorkspaceSpec", parse::WORKSPACE),
    ] {
        let read: BTreeSet<String> = read.iter().map(|&key| key.to_owned()).collect();
        assert_eq!(keys(pointer), read, "{pointer}");
    }
}

/// The golden files that parse conform to the schema.
#[test]
fn accepted_files_conform_to_the_schema() {
    let validator = jsonschema::validator_for(&json_schema()).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/ui");
    let mut accepted = 0;
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let text = fs_err::read_to_string(&path).unwrap();
        // Files with lines to repeat are not pipelines before that is done.
        if text.contains("#~ repeat") || parse(&Source::new("x", text.as_str())).is_err() {
            continue;
        }
        accepted += 1;
        let value: Value = toml::from_str(&text).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert_eq!(errors, [""; 0], "{}", path.display());
    }
    assert!(accepted > 20, "{accepted}");
}

#[test]
fn a_plugin_s_inputs_are_merged_and_templates_stay_allowed() {
    let inputs = json!({
        "type": "object",
        "properties": { "n": { "type": "integer", "description": "how many" }, "s": { "type": "string" }, "r": { "$ref": "#/$defs/r" } },
        "$defs": { "r": { "type": "boolean" } },
        "required": ["n"],
        "additionalProperties": false,
    });
    let merged = merge_plugins(json_schema(), &[("counter", &inputs)]);
    let validator = jsonschema::validator_for(&merged).unwrap();
    let accepts = |uses: &str, with: Value| {
        validator.is_valid(&json!({
            "schema": 1,
            "pipeline": { "name": "x" },
            "step": [{ "id": "a", "uses": uses, "with": with }],
        }))
    };
    assert!(accepts("counter", json!({ "n": 1, "s": "{{ inputs.x }}" })));
    assert!(accepts("counter", json!({ "n": "{{ inputs.n }}" })));
    assert!(!accepts("counter", json!({ "n": "one" })));
    assert!(!accepts("counter", json!({ "m": 1, "n": 1 })));
    assert!(!accepts("counter", json!({ "s": "x" })));
    assert!(accepts("counter", json!({ "n": 1, "r": true })));
    assert!(!accepts("counter", json!({ "n": 1, "r": 7 })));
    assert!(accepts("oci://example.com/other:1", json!({ "m": 1 })));
}
