use serde_json::json;

use super::*;

#[test]
fn text_is_converted_by_type() {
    let check = |text: &str, type_, expect: Option<Value>| {
        assert_eq!(from_text(text, type_), expect, "{text}");
    };
    check("007", InputType::String, Some(json!("007")));
    check("-7", InputType::Integer, Some(json!(-7)));
    check("7.0", InputType::Integer, None);
    check("9223372036854775808", InputType::Integer, None);
    check("7", InputType::Number, Some(json!(7)));
    check("0.5", InputType::Number, Some(json!(0.5)));
    check("inf", InputType::Number, None);
    check("NaN", InputType::Number, None);
    check("true", InputType::Boolean, Some(json!(true)));
    check("1", InputType::Boolean, None);
    check("", InputType::List, Some(json!([])));
    check("a, b", InputType::List, Some(json!(["a", "b"])));
    check("[1, \"a,b\"]", InputType::List, Some(json!([1, "a,b"])));
    check("[1", InputType::List, None);
    check("{\"a\": 1}", InputType::Object, Some(json!({ "a": 1 })));
    check("[1]", InputType::Object, None);
}
