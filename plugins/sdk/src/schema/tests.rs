use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Empty;
use crate::{Inputs, Outputs, Schema};

fn schema<T: Schema>() -> Value {
    serde_json::from_str(&T::shape().to_string()).expect("a schema is JSON")
}

#[derive(Deserialize, Serialize, Schema, Default)]
#[serde(rename_all = "kebab-case")]
enum Redirects {
    #[default]
    ReturnThem,
    Follow,
}

#[derive(Deserialize, Serialize, Schema)]
#[serde(rename_all = "camelCase")]
struct Header {
    header_name: String,
    /// What it says.
    value: Option<String>,
}

#[expect(dead_code, reason = "only described")]
#[derive(Deserialize, Schema)]
struct Digest(String);

/// What to fetch.
#[expect(dead_code, reason = "only described")]
#[derive(Deserialize, Inputs)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Fetch {
    /// Where it is, with \ and "quotes".
    ///
    /// Must be https.
    url: String,
    #[serde(default)]
    redirects: Redirects,
    #[serde(default = "thirty")]
    timeout_s: u32,
    /// What goes along.
    #[serde(default)]
    headers: Vec<Header>,
    digest: Option<Digest>,
    maybe: Option<Redirects>,
    #[serde(rename = "type")]
    kind: BTreeMap<String, f64>,
    #[serde(skip)]
    not_seen: u8,
    anything: Value,
}

fn thirty() -> u32 {
    30
}

#[test]
fn inputs_become_the_schema_that_serde_reads() {
    let header = json!({
        "type": "object",
        "properties": {
            "headerName": { "type": "string" },
            "value": { "description": "What it says.", "type": ["string", "null"] },
        },
        "required": ["headerName"],
        "additionalProperties": false,
    });
    let expect = json!({
        "type": "object",
        "description": "What to fetch.",
        "properties": {
            "url": {
                "description": "Where it is, with \\ and \"quotes\".\n\nMust be https.",
                "type": "string",
            },
            "redirects": {
                "type": "string", "enum": ["return-them", "follow"], "default": "return-them",
            },
            "timeout-s": {
                "type": "integer", "minimum": 0, "maximum": 4_294_967_295_u32, "default": 30,
            },
            "headers": {
                "description": "What goes along.", "type": "array", "items": header, "default": [],
            },
            "digest": { "type": ["string", "null"] },
            "maybe": { "type": ["string", "null"], "enum": ["return-them", "follow", null] },
            "type": { "type": "object", "additionalProperties": { "type": "number" } },
            "anything": {},
        },
        "required": ["url", "type", "anything"],
        "additionalProperties": false,
    });
    assert_eq!(schema::<Fetch>(), expect);
}

/// What was found.
#[derive(Serialize, Outputs)]
struct Found {
    /// How often.
    #[serde(default)]
    count: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    names: Vec<String>,
    last: Option<i64>,
}

#[test]
fn outputs_require_what_is_always_written() {
    let expect = json!({
        "type": "object",
        "description": "What was found.",
        "properties": {
            "count": { "description": "How often.", "type": "integer", "minimum": 0 },
            "names": { "type": "array", "items": { "type": "string" } },
            "last": { "type": ["integer", "null"] },
        },
        "required": ["count"],
        "additionalProperties": false,
    });
    assert_eq!(schema::<Found>(), expect);
}

#[derive(Deserialize, Inputs)]
#[serde(default)]
struct Defaults {
    size: u8,
    part: Option<String>,
}

impl Default for Defaults {
    fn default() -> Self {
        Self { size: 7, part: None }
    }
}

#[test]
fn the_default_of_a_struct_gives_its_fields_theirs() {
    let expect = json!({
        "type": "object",
        "properties": {
            "size": { "type": "integer", "minimum": 0, "maximum": 255, "default": 7 },
            "part": { "type": ["string", "null"] },
        },
        "required": [],
        "additionalProperties": false,
    });
    assert_eq!(schema::<Defaults>(), expect);
}

/// A type's own words.
#[derive(Serialize, Schema)]
struct Part {
    a: bool,
}

#[derive(Serialize, Outputs)]
struct Parts {
    /// A key's own words.
    said: Part,
    unsaid: Part,
}

#[test]
fn the_words_of_a_key_go_before_those_of_its_type() {
    let schema = schema::<Parts>();
    assert_eq!(schema["properties"]["said"]["description"], "A key's own words.");
    assert_eq!(schema["properties"]["unsaid"]["description"], "A type's own words.");
}

#[test]
fn empty_allows_no_key() {
    let expect = json!({
        "type": "object", "properties": {}, "required": [], "additionalProperties": false,
    });
    assert_eq!(schema::<Empty>(), expect);
}
