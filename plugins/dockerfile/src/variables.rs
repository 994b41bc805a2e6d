//! Names and their values, in the order in which they were first set.

use std::collections::BTreeMap;

/// A set of variables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Variables {
    entries: Vec<(String, String)>,
    /// Where each name is in `entries`.
    places: BTreeMap<String, usize>,
}

impl Variables {
    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.entries.get(*self.places.get(name)?)?;
        Some(value)
    }

    /// Sets `name`; it keeps its place if it was set before.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let name = name.into();
        let place = self.places.get(&name).copied();
        match place.and_then(|place| self.entries.get_mut(place)) {
            Some(entry) => entry.1 = value.into(),
            None => {
                self.places.insert(name.clone(), self.entries.len());
                self.entries.push((name, value.into()));
            }
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Their names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|(name, _)| name.as_str())
    }

    /// All of them, owned.
    pub fn to_vec(&self) -> Vec<(String, String)> {
        self.entries.clone()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Variables {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut variables = Self::default();
        for (name, value) in pairs {
            variables.set(name, value);
        }
        variables
    }
}
