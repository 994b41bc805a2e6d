//! A token service, as registries have one (distribution's token specification), whose tokens end
//! when a test says so.

use std::collections::BTreeMap;

/// What a client may do, by token; nothing in here is older than the last [`Tokens::expire`].
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// Whether requests need a token at all.
    pub(super) are_wanted: bool,
    /// The scopes of each.
    valid: BTreeMap<String, String>,
    given: usize,
}

impl Tokens {
    /// A new token for the scopes that the query asks for.
    pub(super) fn give(&mut self, query: &str) -> String {
        self.given += 1;
        let token = format!("token-{}", self.given);
        let scopes = query.split('&').filter_map(|pair| pair.strip_prefix("scope="));
        let scopes: Vec<String> = scopes.map(decode).collect();
        self.valid.insert(token.clone(), scopes.join(" "));
        token
    }

    /// How many were given.
    pub(super) fn given(&self) -> usize {
        self.given
    }

    /// Ends all that were given.
    pub(super) fn expire(&mut self) {
        self.valid.clear();
    }

    /// Whether `authorization` allows `method` on `path`.
    pub(super) fn allow(&self, authorization: Option<&str>, method: &str, path: &str) -> bool {
        let token = authorization.and_then(|text| text.strip_prefix("Bearer "));
        let Some(scopes) = token.and_then(|token| self.valid.get(token)) else {
            return !self.are_wanted;
        };
        let wanted = scope(method, path);
        let Some((repository, action)) = wanted.rsplit_once(':') else { return true };
        scopes.split(' ').any(|scope| {
            let Some((own, actions)) = scope.rsplit_once(':') else { return false };
            own == repository && actions.split(',').any(|own| own == action)
        })
    }
}

/// `repository:NAME:pull`; empty where any token will do.
pub(super) fn scope(method: &str, path: &str) -> String {
    let behind = path.strip_prefix("/v2/").unwrap_or_default();
    let ends = ["/manifests/", "/blobs/", "/tags/list", "/referrers/"];
    let Some(name) = ends.iter().find_map(|end| behind.split_once(end)).map(|(name, _)| name)
    else {
        return String::new();
    };
    let action = match method {
        "GET" | "HEAD" => "pull",
        "DELETE" => "delete",
        _ => "push",
    };
    format!("repository:{name}:{action}")
}

/// What of percent-encoding occurs in scopes.
fn decode(text: &str) -> String {
    text.replace("%3A", ":").replace("%2F", "/").replace("%2C", ",").replace('+', " ")
}
