//! Texts and lists of strangers, which have an end.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

/// Events in one body: more than any sender puts there, few enough to look at one by one.
pub(crate) const MOST_EVENTS: usize = 1000;

/// Twice the longest name that the distribution specification knows, for whatever is a name.
const LONGEST: usize = 512;

/// A text of at most [`LONGEST`] bytes in which nothing can hide: no blank and no control character.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Word(String);

/// A list of at most [`MOST_EVENTS`].
#[derive(Debug)]
pub(crate) struct Events<T>(pub(crate) Vec<T>);

impl Word {
    /// `text`, if it is a word.
    pub(crate) fn new(text: &str) -> Result<Self, &'static str> {
        if text.len() > LONGEST {
            return Err("a text of more than 512 bytes where a name belongs");
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err("a blank or a control character in a name");
        }
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text, if there is one: senders leave out, write null or write nothing for the same.
pub(crate) fn text(word: Option<Word>) -> Option<String> {
    word.map(|word| word.0).filter(|text| !text.is_empty())
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Word;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Word, E> {
                Word::new(text).map_err(E::custom)
            }
        }
        from.deserialize_str(Text)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Events<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct List<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
            type Value = Events<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of events")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Events<T>, A::Error> {
                let mut events = Vec::new();
                while let Some(event) = from.next_element()? {
                    if events.len() == MOST_EVENTS {
                        return Err(A::Error::custom(format!("more than {MOST_EVENTS} events")));
                    }
                    events.push(event);
                }
                Ok(Events(events))
            }
        }
        from.deserialize_seq(List(PhantomData))
    }
}
