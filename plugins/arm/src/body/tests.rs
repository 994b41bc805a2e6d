use proptest::prelude::*;
use serde_json::json;

use super::*;

/// The text of a body whose secrets are written as `‹name›`.
fn text(body: &Body<&str>) -> Option<String> {
    let parts = body.parts()?;
    let write = |part: &Part<'_, &str>| match part {
        Part::Text(text) => text.clone(),
        Part::Sealed(name, encoding) => format!("‹{name} {encoding:?}›"),
    };
    Some(parts.iter().map(write).collect())
}

#[test]
fn a_secret_stands_where_its_pointer_leads() {
    let value = json!({ "a": [{ "password": null }, 1.5], "b/c": { "~": "x" } });
    let mut body = Body::from(value).sealed("/a/0/password", "pwd");
    body.holes.push(Hole {
        pointer: "/b~1c/~0".to_owned(),
        secret: "file",
        encoding: Encoding::Base64,
    });
    assert_eq!(
        text(&body).as_deref(),
        Some(
            r#"{"a":[{"password":"‹pwd Encoding::Json›"},1.5],"b/c":{"~":"‹file Encoding::Base64›"}}"#
        )
    );
}

#[test]
fn a_pointer_that_leads_nowhere_is_no_body() {
    for pointer in ["/a/1", "/b", "a", "/a/0/", "/"] {
        let body = Body::from(json!({ "a": [null] })).sealed(pointer, "pwd");
        assert_eq!(body.parts(), None, "{pointer}");
    }
    let hidden = Body::from(json!({ "a": {} })).sealed("/a", "pwd").sealed("/a", "again");
    assert_eq!(hidden.parts(), None, "two secrets in one place");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn without_secrets_it_is_the_json(value in any_json()) {
        prop_assert_eq!(text(&Body::from(value.clone())), Some(value.to_string()));
    }
}
