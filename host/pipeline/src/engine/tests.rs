use serde_json::json;

use super::*;

fn context(value: Json) -> Value {
    names(names_of(value.as_object().unwrap()))
}

fn value_of(text: &str, data: Json) -> Result<Json, String> {
    let expression = compile_expression(text).map_err(|error| error.reason)?;
    evaluate(&expression, &context(data)).map_err(|error| error.reason)
}

#[test]
fn a_value_keeps_its_type() {
    let data = json!({ "a": { "list": [1, 2.5, null, "x", true], "b-c": { "z": 1, "a": 2 } } });
    assert_eq!(value_of("a", data.clone()), Ok(data["a"].clone()));
    assert_eq!(value_of("a.list[0]", data.clone()), Ok(json!(1)));
    assert_eq!(value_of("a.list[1] * 2", data), Ok(json!(5.0)));
    assert_eq!(value_of("a", json!({ "a": u64::MAX })), Ok(json!(u64::MAX)));
    assert_eq!(value_of("a", json!({ "a": i64::MIN })), Ok(json!(i64::MIN)));
}

#[test]
fn tables_keep_the_order_they_were_written_in() {
    let value = value_of("a", json!({ "a": { "z": 1, "a": 2, "m": 3 } })).unwrap();
    assert_eq!(value.to_string(), r#"{"z":1,"a":2,"m":3}"#);
}

#[test]
fn names_may_have_underscores_for_dashes() {
    assert_eq!(value_of("my_name", json!({ "my-name": 1 })), Ok(json!(1)));
    let names = names(names_of(json!({ "my-name": 1 }).as_object().unwrap()));
    assert_eq!(names.try_iter().unwrap().count(), 1);
}

#[test]
fn what_json_has_no_word_for_is_an_error() {
    for text in ["a.b", "[a.b]", "1e308 * 10", "9223372036854775807 * 9"] {
        assert!(value_of(text, json!({ "a": {} })).is_err(), "{text}");
    }
}

#[test]
fn text_has_lists_and_tables_as_json_and_no_null() {
    let data = context(json!({ "a": [1, "x", null], "b": { "k": true }, "c": null, "f": 1.0 }));
    assert_eq!(
        render("{{ a }} {{ b }} {{ f }}\n", &data).unwrap(),
        "[1,\"x\",null] {\"k\":true} 1.0\n"
    );
    assert!(render("x{{ c }}", &data).unwrap_err().reason.starts_with("null has no text"));
    assert_eq!(render("x{{ c | default('', true) }}", &data).unwrap(), "x");
    assert!(render("x{{ d }}", &data).is_err());
}

#[test]
fn nothing_is_escaped() {
    let data = context(json!({ "a": "<&\"'>" }));
    assert_eq!(render("-{{ a }}-", &data).unwrap(), "-<&\"'>-");
}

#[test]
fn work_and_text_are_bounded() {
    let data = context(json!({ "a": "x".repeat(1000) }));
    let doubling = "{% set b = a %}".to_owned() + &"{% set b = b ~ b %}".repeat(40) + "{{ b }}";
    for text in [
        "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
        "{{ 'x' * 1000000000 }}",
        "{{ a | replace('x', a) | replace('x', a) | replace('x', a) }}",
        &doubling,
    ] {
        assert!(render(text, &data).is_err(), "{}", &text[..30]);
    }
    assert!(value_of("'x' * 2000000", json!({})).is_err());
    let deep = "(".repeat(5000) + "1" + &")".repeat(5000);
    assert!(compile_expression(&deep).is_err());
}

#[test]
fn nothing_reaches_outside() {
    for text in ["{% include 'x' %}", "{% import 'x' as y %}", "{% extends 'x' %}", "{{ debug() }}"]
    {
        assert!(render(text, &context(json!({}))).is_err(), "{text}");
    }
}

#[test]
fn filters_and_tests_are_known_by_name() {
    assert!(has_filter("default") && has_filter("join") && !has_filter("slug"));
    assert!(has_test("defined") && has_test("startingwith") && !has_test("definde"));
}
