//! Reading and writing in documents that are not ours, without a panic.

use serde_json::{Map, Value};

/// What is missing.
static NULL: Value = Value::Null;

/// What is at a JSON pointer; null where nothing is.
pub(crate) fn at<'v>(value: &'v Value, pointer: &str) -> &'v Value {
    value.pointer(pointer).unwrap_or(&NULL)
}

/// The text at a JSON pointer; empty where there is none.
pub(crate) fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    at(value, pointer).as_str().unwrap_or_default()
}

/// Sets a member; what is no object becomes one.
pub(crate) fn set(value: &mut Value, name: &str, to: impl Into<Value>) {
    as_object(value).insert(name.to_owned(), to.into());
}

/// The object under a key of a document, made where there is none.
pub(crate) fn object<'v>(value: &'v mut Value, name: &str) -> &'v mut Map<String, Value> {
    let member = as_object(value).entry(name.to_owned()).or_insert_with(|| Map::new().into());
    as_object(member)
}

/// The value as an object; what is none becomes an empty one.
pub(crate) fn as_object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Map::new().into();
    }
    value.as_object_mut().expect("it was made an object just now")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_missing_is_null_and_what_is_set_is_there() {
        let mut value = json!([1]);
        assert_eq!((at(&value, "/a/b"), text(&value, "/0")), (&Value::Null, ""));
        set(&mut value, "a", "x");
        object(&mut value, "b").insert("c".to_owned(), json!(1));
        assert_eq!(value, json!({ "a": "x", "b": { "c": 1 } }));
    }
}
