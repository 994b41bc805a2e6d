//! The group as an ARM template.

use std::collections::BTreeMap;

use arm::{Body, Encoding};
use serde_json::{Value, json};

use crate::spec::{KIND, VERSION};

const SCHEMA: &str =
    "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#";

/// The text of the template that makes `body` a group called `name`. Secrets are its parameters.
#[must_use]
pub fn template(name: &str, body: &Body<String>) -> String {
    let mut group = literal(&body.value);
    let mut parameters = BTreeMap::new();
    for hole in &body.holes {
        let parameter = hole.secret.as_str();
        let call = format!("parameters('{}')", parameter.replace('\'', "''"));
        let text = match hole.encoding {
            Encoding::Base64 => format!("[base64({call})]"),
            Encoding::Raw | Encoding::Json | Encoding::Form => format!("[{call}]"),
        };
        if let Some(place) = group.pointer_mut(&hole.pointer) {
            *place = text.into();
        }
        parameters.insert(parameter, json!({ "type": "securestring" }));
    }
    let mut resource = json!({ "type": KIND, "apiVersion": VERSION, "name": name });
    if let (Value::Object(resource), Value::Object(group)) = (&mut resource, group) {
        resource.extend(group);
        if resource.get("location").is_none_or(|location| location == "") {
            resource.insert("location".to_owned(), "[resourceGroup().location]".into());
        }
    }
    let template = json!({
        "$schema": SCHEMA,
        "contentVersion": "1.0.0.0",
        "parameters": parameters,
        "resources": [resource],
    });
    format!("{template:#}\n")
}

/// Text that begins with a bracket would be an expression; another bracket in front makes it text.
fn literal(value: &Value) -> Value {
    match value {
        Value::String(text) if text.starts_with('[') => format!("[{text}").into(),
        Value::Array(items) => items.iter().map(literal).collect(),
        Value::Object(map) => {
            map.iter().map(|(key, value)| (key.clone(), literal(value))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_parameters_and_text_stays_text() {
        let value =
            json!({ "location": "", "tags": { "a": "[b]" }, "p": { "x": null, "y": null } });
        let mut body = Body::from(value).sealed("/p/x", "it's".to_owned());
        body.holes.push(arm::Hole {
            pointer: "/p/y".to_owned(),
            secret: "file".to_owned(),
            encoding: Encoding::Base64,
        });
        let read: Value = serde_json::from_str(&template("web", &body)).unwrap();
        let resource = &read["resources"][0];
        assert_eq!(
            resource["p"],
            json!({ "x": "[parameters('it''s')]", "y": "[base64(parameters('file'))]" })
        );
        assert_eq!(resource["tags"]["a"], "[[b]");
        assert_eq!(resource["location"], "[resourceGroup().location]");
        assert_eq!(read["parameters"]["file"], json!({ "type": "securestring" }));
        assert_eq!((&resource["type"], &resource["apiVersion"]), (&json!(KIND), &json!(VERSION)));
    }
}
