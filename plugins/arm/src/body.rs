//! JSON in which secrets stand as their handles.

use serde_json::Value;

use crate::http::{Encoding, Part};

/// A body: JSON, and where in it secrets are written by the host.
#[derive(Debug, Clone, PartialEq)]
pub struct Body<S> {
    /// The JSON; what stands where a secret goes is never sent.
    pub value: Value,
    /// Where secrets go.
    pub holes: Vec<Hole<S>>,
}

/// A place for a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hole<S> {
    /// Where: a JSON pointer, RFC 6901, such as `/properties/password`.
    pub pointer: String,
    /// What goes there: the inside of a string.
    pub secret: S,
    /// How it is written: `Json` as it is, `Base64` for the bytes of a file.
    pub encoding: Encoding,
}

impl<S> From<Value> for Body<S> {
    fn from(value: Value) -> Self {
        Self { value, holes: Vec::new() }
    }
}

impl<S> Body<S> {
    /// With `secret` as the string at `pointer`, which must be there.
    #[must_use]
    pub fn sealed(mut self, pointer: impl Into<String>, secret: S) -> Self {
        let pointer = pointer.into();
        self.holes.push(Hole { pointer, secret, encoding: Encoding::Json });
        self
    }

    /// The parts of a request; none if a pointer leads nowhere, which would lose a secret.
    #[must_use]
    pub fn parts(&self) -> Option<Vec<Part<'_, S>>> {
        let mut writer = Writer { holes: &self.holes, text: String::new(), parts: Vec::new() };
        writer.write(&self.value, &mut String::new());
        let Writer { text, mut parts, .. } = writer;
        let filled = parts.iter().filter(|part| matches!(part, Part::Sealed(..))).count();
        parts.push(Part::Text(text));
        (filled == self.holes.len()).then_some(parts)
    }
}

struct Writer<'a, S> {
    holes: &'a [Hole<S>],
    text: String,
    parts: Vec<Part<'a, S>>,
}

impl<S> Writer<'_, S> {
    /// Writes `value`, which stands at `pointer`. As deep as the JSON is, which the reader bounds.
    fn write(&mut self, value: &Value, pointer: &mut String) {
        if let Some(hole) = self.holes.iter().find(|hole| hole.pointer == *pointer) {
            self.text.push('"');
            self.parts.push(Part::Text(std::mem::take(&mut self.text)));
            self.parts.push(Part::Sealed(&hole.secret, hole.encoding));
            self.text.push('"');
            return;
        }
        match value {
            Value::Object(map) => self.list('{', '}', map, pointer, |writer, (key, value), at| {
                let (name, key) = (Value::from(key.as_str()), escaped(key));
                writer.text.push_str(&name.to_string());
                writer.text.push(':');
                writer.below(&key, value, at);
            }),
            Value::Array(items) => {
                let items = items.iter().enumerate();
                self.list('[', ']', items, pointer, |writer, (index, value), at| {
                    writer.below(&index.to_string(), value, at);
                });
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                self.text.push_str(&value.to_string());
            }
        }
    }

    fn below(&mut self, key: &str, value: &Value, pointer: &mut String) {
        let length = pointer.len();
        pointer.push('/');
        pointer.push_str(key);
        self.write(value, pointer);
        pointer.truncate(length);
    }

    fn list<T>(
        &mut self,
        open: char,
        close: char,
        items: impl IntoIterator<Item = T>,
        pointer: &mut String,
        item: impl Fn(&mut Self, T, &mut String),
    ) {
        self.text.push(open);
        for (index, each) in items.into_iter().enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            item(self, each, pointer);
        }
        self.text.push(close);
    }
}

/// A key as a piece of a JSON pointer.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests;
