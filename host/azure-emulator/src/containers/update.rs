//! What of a group cannot be changed once it is there.

use serde_json::Value;

use crate::answer::Refusal;
use crate::json::{at, text};

/// Members that belong to a group's machine.
const FIXED: [&str; 5] = ["osType", "restartPolicy", "sku", "priority", "subnetIds"];

pub(super) fn check(name: &str, old: &Value, new: &Value) -> Result<(), Refusal> {
    let same = |pointer: &str, usual: &str| {
        let of = |document| match at(document, pointer) {
            value if value.is_null() => Value::from(usual),
            value => value.clone(),
        };
        let (old, new) = (of(old), of(new));
        old == new || old.as_str().zip(new.as_str()).is_some_and(|(a, b)| a.eq_ignore_ascii_case(b))
    };
    let usual = |member: &str| match member {
        "restartPolicy" => "Always",
        "sku" => "Standard",
        "priority" => "Regular",
        _ => "",
    };
    let fixed = FIXED.iter().all(|member| same(&format!("/properties/{member}"), usual(member)));
    let address = same("/properties/ipAddress/type", "");
    let place = same("/location", "");
    let requests = |document: &Value| -> Vec<(String, Value)> {
        let containers = at(document, "/properties/containers").as_array();
        let of = |c: &Value| {
            (text(c, "/name").to_owned(), at(c, "/properties/resources/requests").clone())
        };
        containers.into_iter().flatten().map(of).collect()
    };
    if fixed && address && place && numbers(&requests(old)) == numbers(&requests(new)) {
        return Ok(());
    }
    let message = format!(
        "The updates on container group '{name}' are invalid. If you are going to update the os type, restart policy, network profile, CPU, memory or GPU resources for a container group, you must delete it first and then create a new one."
    );
    Err(Refusal::bad("InvalidContainerGroupUpdate", message))
}

/// 1 and 1.0 are the same.
fn numbers(requests: &[(String, Value)]) -> Vec<(&str, Option<f64>, Option<f64>)> {
    requests
        .iter()
        .map(|(name, value)| {
            (name.as_str(), at(value, "/cpu").as_f64(), at(value, "/memoryInGB").as_f64())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn images_change_and_machines_do_not() {
        let group = |image: &str, cpu: f64, os: &str| {
            json!({ "location": "x", "properties": { "osType": os, "containers": [{ "name": "a", "properties": {
                "image": image, "resources": { "requests": { "cpu": cpu, "memoryInGB": 1 } } } }] } })
        };
        let old = group("a", 1.0, "Linux");
        assert!(check("g", &old, &group("b", 1.0, "linux")).is_ok());
        assert!(check("g", &old, &group("a", 2.0, "Linux")).is_err());
        assert!(check("g", &old, &group("a", 1.0, "Windows")).is_err());
        let mut named = group("a", 1.0, "Linux");
        crate::json::object(&mut named, "properties")
            .insert("restartPolicy".to_owned(), json!("Always"));
        assert!(check("g", &old, &named).is_ok());
    }
}
