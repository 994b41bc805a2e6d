//! The text of a schema.

use std::fmt;

use super::{Field, Object, Shape};

impl fmt::Display for Shape {
    /// Writes the schema as one line of JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        keywords(self, "", f)?;
        f.write_str("}")
    }
}

/// Writes the keywords of `shape`; an optional one is also told that null will do.
fn keywords(shape: &Shape, null: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match shape {
        Shape::Any => Ok(()),
        Shape::Boolean => kind("boolean", null, f),
        Shape::Integer { minimum, maximum } => {
            kind("integer", null, f)?;
            bound("minimum", *minimum, f)?;
            bound("maximum", *maximum, f)
        }
        Shape::Number => kind("number", null, f),
        Shape::String => kind("string", null, f),
        Shape::OneOf(texts) => one_of(texts, null, f),
        Shape::List(item) => {
            kind("array", null, f)?;
            write!(f, r#","items":{item}"#)
        }
        Shape::Map(value) => {
            kind("object", null, f)?;
            write!(f, r#","additionalProperties":{value}"#)
        }
        Shape::Object(object) => keys(object, null, f),
        Shape::Either(shapes) => either(shapes, null, f),
        Shape::Optional(inner) => keywords(inner, "null", f),
    }
}

fn kind(name: &str, null: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match null {
        "" => write!(f, r#""type":"{name}""#),
        null => write!(f, r#""type":["{name}","{null}"]"#),
    }
}

fn bound(name: &str, value: Option<i64>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    value.map_or(Ok(()), |value| write!(f, r#","{name}":{value}"#))
}

fn one_of(texts: &[&str], null: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    kind("string", null, f)?;
    f.write_str(r#","enum":["#)?;
    for (index, text) in texts.iter().enumerate() {
        comma(index, f)?;
        quoted(text, f)?;
    }
    if !null.is_empty() {
        write!(f, ",{null}")?;
    }
    f.write_str("]")
}

fn either(shapes: &[Shape], null: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(r#""anyOf":["#)?;
    for (index, shape) in shapes.iter().enumerate() {
        comma(index, f)?;
        write!(f, "{shape}")?;
    }
    if !null.is_empty() {
        write!(f, r#",{{"type":"{null}"}}"#)?;
    }
    f.write_str("]")
}

fn keys(object: &Object, null: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    kind("object", null, f)?;
    if !object.description.is_empty() {
        f.write_str(r#","description":"#)?;
        quoted(object.description, f)?;
    }
    f.write_str(r#","properties":{"#)?;
    for (index, field) in object.fields.iter().enumerate() {
        comma(index, f)?;
        property(field, f)?;
    }
    f.write_str(r#"},"required":["#)?;
    for (index, field) in object.fields.iter().filter(|field| field.is_required).enumerate() {
        comma(index, f)?;
        quoted(field.name, f)?;
    }
    f.write_str(r#"],"additionalProperties":false"#)
}

fn property(field: &Field, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    quoted(field.name, f)?;
    f.write_str(":{")?;
    let mut shape = field.shape.clone();
    if !field.description.is_empty() {
        f.write_str(r#""description":"#)?;
        quoted(field.description, f)?;
        // The key's own words are nearer than those of its type, and a keyword stands only once.
        hush(&mut shape);
        if shape != Shape::Any {
            f.write_str(",")?;
        }
    }
    keywords(&shape, "", f)?;
    if let Some(default) = &field.default {
        if !field.description.is_empty() || shape != Shape::Any {
            f.write_str(",")?;
        }
        write!(f, r#""default":{default}"#)?;
    }
    f.write_str("}")
}

fn hush(shape: &mut Shape) {
    match shape {
        Shape::Object(object) => object.description = "",
        Shape::Optional(inner) => hush(inner),
        Shape::Any
        | Shape::Boolean
        | Shape::Integer { .. }
        | Shape::Number
        | Shape::String
        | Shape::OneOf(_)
        | Shape::List(_)
        | Shape::Either(_)
        | Shape::Map(_) => {}
    }
}

fn comma(index: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if index == 0 { Ok(()) } else { f.write_str(",") }
}

/// Writes `text` as a JSON string.
fn quoted(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let quoted = serde_json::to_string(text).map_err(|_| fmt::Error)?;
    f.write_str(&quoted)
}
