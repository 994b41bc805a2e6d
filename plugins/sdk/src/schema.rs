//! From Rust types to JSON Schema (2020-12).
//!
//! [`Schema`] says what JSON a type is read from and written to; the derives implement it for the
//! author's types from what serde sees, doc comments included. A [`Shape`] is that as data, and its
//! `Display` is the schema's text.
//!
//! Written here rather than taken from a library, since it becomes part of every plugin: a small one
//! is 120 KB with this and 175 KB with `schemars`.

mod render;

use std::collections::{BTreeMap, HashMap};

/// A type that has a JSON Schema. Derive it.
pub trait Schema {
    /// What JSON it is.
    fn shape() -> Shape;
}

/// What JSON a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// Any JSON value.
    Any,
    /// `true` or `false`.
    Boolean,
    /// A whole number, in these bounds.
    Integer {
        /// The least, as far as JSON Schema needs to know it.
        minimum: Option<i64>,
        /// The greatest.
        maximum: Option<i64>,
    },
    /// A number.
    Number,
    /// Text.
    String,
    /// One of these texts.
    OneOf(Vec<&'static str>),
    /// A list.
    List(Box<Self>),
    /// An object with keys of any name.
    Map(Box<Self>),
    /// An object with just these keys.
    Object(Object),
    /// One of these.
    Either(Vec<Self>),
    /// That, or null.
    Optional(Box<Self>),
}

/// An object with known keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// What it is, for a person; empty for nothing.
    pub description: &'static str,
    /// Its keys, in the order in which they are declared.
    pub fields: Vec<Field>,
}

/// A key of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The key.
    pub name: &'static str,
    /// What it is, for a person; empty for nothing.
    pub description: &'static str,
    /// Whether it must be there.
    pub is_required: bool,
    /// The JSON text of the value that stands where it is not there.
    pub default: Option<String>,
    /// What its value is.
    pub shape: Shape,
}

/// Inputs or outputs that have no keys: `{}`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub struct Empty {}

impl Schema for Empty {
    fn shape() -> Shape {
        Shape::Object(Object { description: "", fields: Vec::new() })
    }
}

macro_rules! is {
    ($($rust:ty => $shape:expr;)*) => {$(
        impl Schema for $rust {
            fn shape() -> Shape {
                $shape
            }
        }
    )*};
}

is! {
    bool => Shape::Boolean;
    String => Shape::String;
    char => Shape::String;
    f32 => Shape::Number;
    f64 => Shape::Number;
    u8 => integer(0, Some(u8::MAX.into()));
    u16 => integer(0, Some(u16::MAX.into()));
    u32 => integer(0, Some(u32::MAX.into()));
    u64 => integer(0, None);
    i8 => integer(i8::MIN.into(), Some(i8::MAX.into()));
    i16 => integer(i16::MIN.into(), Some(i16::MAX.into()));
    i32 => integer(i32::MIN.into(), Some(i32::MAX.into()));
    i64 => Shape::Integer { minimum: None, maximum: None };
    serde_json::Value => Shape::Any;
    serde_json::Map<String, serde_json::Value> => Shape::Map(Box::new(Shape::Any));
}

fn integer(minimum: i64, maximum: Option<i64>) -> Shape {
    Shape::Integer { minimum: Some(minimum), maximum }
}

impl<T: Schema> Schema for Option<T> {
    fn shape() -> Shape {
        Shape::Optional(Box::new(T::shape()))
    }
}

impl<T: Schema> Schema for Vec<T> {
    fn shape() -> Shape {
        Shape::List(Box::new(T::shape()))
    }
}

impl<T: Schema> Schema for Box<T> {
    fn shape() -> Shape {
        T::shape()
    }
}

impl<T: Schema> Schema for BTreeMap<String, T> {
    fn shape() -> Shape {
        Shape::Map(Box::new(T::shape()))
    }
}

impl<T: Schema, S> Schema for HashMap<String, T, S> {
    fn shape() -> Shape {
        Shape::Map(Box::new(T::shape()))
    }
}

/// The JSON text of a default; what the derives call.
///
/// # Panics
/// If the value does not serialize: a default that is no JSON is a bug in the plugin, found by
/// whoever first describes it.
#[doc(hidden)]
#[must_use]
pub fn default_text<T: serde::Serialize>(value: &T) -> Option<String> {
    Some(serde_json::to_string(value).expect("a default of an input is JSON"))
}

#[cfg(test)]
mod tests;
