//! What may be done in a registry: `repository:NAME:pull,push`, `registry:catalog:*`.

use serde::{Deserialize, Serialize};

/// Actions on one thing; also an entry of `access` in a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Scope {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) actions: Vec<String>,
}

impl Scope {
    pub(super) fn new(name: &str, actions: &[&str]) -> Self {
        let kind = if name.is_empty() { "registry" } else { "repository" };
        let name = if name.is_empty() { "catalog" } else { name };
        let actions = actions.iter().map(|action| (*action).to_owned()).collect();
        Self { kind: kind.to_owned(), name: name.to_owned(), actions }
    }

    /// `TYPE:NAME:ACTION,ACTION`; a name may have colons of its own.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let (name, actions) = rest.rsplit_once(':')?;
        let actions = actions.split(',').map(str::to_owned).collect();
        (!name.is_empty()).then(|| Self { kind: kind.to_owned(), name: name.to_owned(), actions })
    }

    pub(super) fn is_catalog(&self) -> bool {
        self.kind == "registry" && self.name == "catalog"
    }

    /// Whether these rights are enough for what `needed` says.
    pub(super) fn covers(&self, needed: &Self) -> bool {
        self.kind == needed.kind
            && self.name == needed.name
            && needed.actions.iter().all(|action| self.actions.contains(action))
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.kind, self.name, self.actions.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_and_written() {
        let scope = Scope::parse("repository:a/b:pull,push").unwrap();
        assert_eq!(scope, Scope::new("a/b", &["pull", "push"]));
        assert_eq!(scope.to_string(), "repository:a/b:pull,push");
        assert!(Scope::parse("registry:catalog:*").unwrap().is_catalog());
        for text in ["", "repository", "repository:", "repository::pull"] {
            assert_eq!(Scope::parse(text), None, "{text}");
        }
    }

    #[test]
    fn more_covers_less() {
        let scope = Scope::new("a", &["pull", "push"]);
        assert!(scope.covers(&Scope::new("a", &["pull"])));
        assert!(
            !scope.covers(&Scope::new("a", &["delete"]))
                && !scope.covers(&Scope::new("b", &["pull"]))
        );
    }
}
