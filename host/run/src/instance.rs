//! Names of the instances of a matrix step: `build[arch=arm64,os=linux]`.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::Instance;

/// Of a value in a name: enough to tell instances apart, short enough for a line of a terminal.
const LONGEST_VALUE: usize = 40;

/// The instances of `step`, one per combination, each with a name of its own.
pub(crate) fn names(step: &str, combinations: &[Map<String, Value>]) -> Vec<Instance> {
    let mut taken = BTreeSet::new();
    combinations
        .iter()
        .map(|combination| {
            let pairs: Vec<String> =
                combination.iter().map(|(key, value)| format!("{key}={}", shown(value))).collect();
            let plain = format!("{step}[{}]", pairs.join(","));
            let mut name = plain.clone();
            // The number 1 and the text "1", or two long values with the same beginning.
            let mut count = 1;
            while !taken.insert(name.clone()) {
                count += 1;
                name = format!("{plain}#{count}");
            }
            Instance::new(name)
        })
        .collect()
}

fn shown(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let plain: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_VALUE).collect();
    if plain.len() < text.len() { format!("{plain}…") } else { plain }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn named(combinations: &Value) -> Vec<String> {
        let maps: Vec<_> = combinations
            .as_array()
            .unwrap()
            .iter()
            .map(|m| m.as_object().unwrap().clone())
            .collect();
        names("build", &maps).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_instance_is_named_by_its_combination() {
        let combinations =
            json!([{ "arch": "arm64", "debug": true }, { "arch": "amd64", "debug": false }]);
        assert_eq!(
            named(&combinations),
            ["build[arch=arm64,debug=true]", "build[arch=amd64,debug=false]"]
        );
    }

    #[test]
    fn names_that_would_be_equal_are_numbered_and_long_values_are_cut() {
        assert_eq!(named(&json!([{ "n": 1 }, { "n": "1" }])), ["build[n=1]", "build[n=1]#2"]);
        let long = "x".repeat(100);
        let cut = format!("build[n={}…]", "x".repeat(40));
        assert_eq!(
            named(&json!([{ "n": long }, { "n": long }])),
            [cut.clone(), format!("{cut}#2")]
        );
        assert_eq!(named(&json!([{ "n": "a\nb\u{1b}" }])), ["build[n=a b ]"]);
    }
}
