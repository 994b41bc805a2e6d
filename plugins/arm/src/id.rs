//! The names of resources.

use std::fmt;
use std::str::FromStr;

/// The longest id that is read; Azure's own limit lies below.
const LONGEST: usize = 4096;

/// Text that is no resource id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no resource id: {why}")]
pub struct NotAnId {
    /// The text, cut where it is long.
    pub text: String,
    /// What is wrong.
    pub why: &'static str,
}

impl From<NotAnId> for windlass_plugin::Error {
    fn from(error: NotAnId) -> Self {
        Self::invalid(error.to_string()).hint(
            "write it as `/subscriptions/ID/resourceGroups/GROUP/providers/NAMESPACE/TYPE/NAME`",
        )
    }
}

/// A resource, a resource group or a subscription, by its full name:
/// `/subscriptions/ID[/resourceGroups/GROUP][/providers/NAMESPACE/TYPE/NAME[/TYPE/NAME]…]`.
///
/// Equal whatever the case, as Azure has it.
#[derive(Debug, Clone)]
pub struct ResourceId(Vec<String>);

impl ResourceId {
    /// A subscription by its id, which is a GUID.
    ///
    /// # Errors
    /// If it is none.
    pub fn subscription(id: &str) -> Result<Self, NotAnId> {
        if !is_guid(id) {
            return Err(not_an_id(id, "a subscription is named by its id, a GUID"));
        }
        Ok(Self(vec!["subscriptions".to_owned(), id.to_owned()]))
    }

    /// A resource group of this subscription.
    ///
    /// # Errors
    /// If no resource group can be called so.
    pub fn resource_group(&self, name: &str) -> Result<Self, NotAnId> {
        let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '(' | ')');
        let length = name.chars().count();
        if !(1..=90).contains(&length) || !name.chars().all(allowed) || name.ends_with('.') {
            let why = "a resource group is called by 1 to 90 letters, digits, `-`, `_`, `.`, `(` \
                       and `)`, and no dot at the end";
            return Err(not_an_id(name, why));
        }
        Ok(self.with(["resourceGroups", name]))
    }

    /// A resource in this scope: of a kind, `Microsoft.ContainerInstance/containerGroups`.
    ///
    /// # Errors
    /// If `name` cannot be a part of an id.
    pub fn resource(&self, kind: &str, name: &str) -> Result<Self, NotAnId> {
        checked(name)?;
        let (namespace, kind) = kind.split_once('/').ok_or_else(|| {
            not_an_id(kind, "the kind of a resource has a slash behind its namespace")
        })?;
        Ok(self.with(["providers", namespace, kind, name]))
    }

    /// A resource of this resource, such as `webhooks` of a registry.
    ///
    /// # Errors
    /// If `name` cannot be a part of an id.
    pub fn child(&self, kind: &str, name: &str) -> Result<Self, NotAnId> {
        checked(name)?;
        Ok(self.with([kind, name]))
    }

    /// The subscription's id.
    #[must_use]
    pub fn subscription_id(&self) -> &str {
        self.0.get(1).map_or("", String::as_str)
    }

    /// The resource group's name; none of what lies in none.
    #[must_use]
    pub fn group(&self) -> Option<&str> {
        match self.0.as_slice() {
            [_, _, word, name, ..] if word.eq_ignore_ascii_case("resourceGroups") => Some(name),
            _ => None,
        }
    }

    /// The last name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }

    /// The kind, such as `Microsoft.ContainerRegistry/registries`; none of a group or subscription.
    #[must_use]
    pub fn kind(&self) -> Option<String> {
        let at = self.provider()?;
        let namespace = self.0.get(at + 1)?;
        let kinds = self.0.iter().skip(at + 2).step_by(2).map(String::as_str);
        Some(std::iter::once(namespace.as_str()).chain(kinds).collect::<Vec<_>>().join("/"))
    }

    /// Whether it is of this kind, any case.
    #[must_use]
    pub fn is_a(&self, kind: &str) -> bool {
        self.kind().is_some_and(|own| own.eq_ignore_ascii_case(kind))
    }

    /// The last `providers`: an id may hold several, of a resource that extends another.
    fn provider(&self) -> Option<usize> {
        self.0.iter().rposition(|word| word.eq_ignore_ascii_case("providers"))
    }

    fn with<const N: usize>(&self, words: [&str; N]) -> Self {
        Self(self.0.iter().cloned().chain(words.map(str::to_owned)).collect())
    }
}

/// Whether `text` is 8-4-4-4-12 hexadecimal digits.
fn is_guid(text: &str) -> bool {
    text.split('-').map(str::len).eq([8, 4, 4, 4, 12])
        && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

fn checked(word: &str) -> Result<(), NotAnId> {
    let odd = |c: char| c.is_control() || c.is_whitespace() || "/\\?#%&<>:\"|*".contains(c);
    if word.is_empty() || word == "." || word == ".." || word.contains(odd) {
        return Err(not_an_id(word, "a part of it is empty, or has characters that no name has"));
    }
    Ok(())
}

fn not_an_id(text: &str, why: &'static str) -> NotAnId {
    NotAnId { text: text.chars().take(200).collect(), why }
}

impl FromStr for ResourceId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let wrong = |why| Err(not_an_id(text, why));
        if text.len() > LONGEST {
            return wrong("it is too long");
        }
        let Some(rest) = text.strip_prefix('/') else {
            return wrong("it does not begin with a slash");
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let words: Vec<String> = rest.split('/').map(str::to_owned).collect();
        words.iter().try_for_each(|word| checked(word).map_err(|e| not_an_id(text, e.why)))?;
        match words.as_slice() {
            [word, id, ..] if word.eq_ignore_ascii_case("subscriptions") => {
                Self::subscription(id)?;
            }
            _ => return wrong("it does not begin with `/subscriptions/ID`"),
        }
        if words.get(2).is_some_and(|word| {
            !word.eq_ignore_ascii_case("resourceGroups") && !word.eq_ignore_ascii_case("providers")
        }) {
            return wrong("neither `resourceGroups` nor `providers` follows the subscription");
        }
        let id = Self(words);
        // In front of the provider names come in twos; behind it, after the namespace, too.
        let behind = id.provider().map_or(0, |at| id.0.len() - at);
        let before = id.0.len() - behind;
        let is_whole = behind == 0 || (behind >= 4 && behind.is_multiple_of(2));
        if !before.is_multiple_of(2) || !is_whole {
            return wrong("a type or a name is missing");
        }
        Ok(id)
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|word| write!(f, "/{word}"))
    }
}

impl PartialEq for ResourceId {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self.0.iter().zip(&other.0).all(|(a, b)| a.to_lowercase() == b.to_lowercase())
    }
}

impl Eq for ResourceId {}

#[cfg(test)]
mod tests;
