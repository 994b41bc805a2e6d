//! Microsoft Graph, as far as it makes service principals.

mod application;
mod directory;
mod principal;

use serde_json::{Value, json};

use crate::answer::{Answer, Answered, Refusal};
use crate::azure::Azure;
use crate::call::Call;
use crate::login::audience::For;
use crate::login::caller::Caller;
pub(crate) use directory::{Application, Password, Principal};

pub(crate) fn answer(azure: &Azure, call: &Call) -> Answered {
    let denied =
        || refuse(azure, 401, "InvalidAuthenticationToken", "Access token validation failure.");
    let token = call.bearer().ok_or_else(denied)?;
    let caller = Caller::of(azure, token, For::Graph).map_err(|_| denied())?;
    let (method, path) = call.route();
    let ("v1.0" | "beta", rest) = path.split_first().map_or(("", &[][..]), |(v, rest)| (*v, rest))
    else {
        return Err(Refusal::unknown(method, &call.path));
    };
    if method != "GET" && caller.oid != azure.config.names.principal {
        // Directory roles are not emulated: only the first application may change the directory.
        let text = "Insufficient privileges to complete the operation.";
        return Err(refuse(azure, 403, "Authorization_RequestDenied", text));
    }
    match (method, rest) {
        ("GET", ["me"]) => {
            let text = "/me request is only valid with delegated authentication flow.";
            Err(Refusal::new(400, "BadRequest", text))
        }
        ("GET", ["applications"]) => application::list(azure, call),
        ("POST", ["applications"]) => application::create(azure, call),
        ("GET", ["applications", id]) => application::show(azure, call, id),
        ("PATCH", ["applications", id]) => application::update(azure, call, id),
        ("DELETE", ["applications", id]) => application::delete(azure, id),
        ("POST", ["applications", id, "addpassword"]) => application::add_password(azure, call, id),
        ("POST", ["applications", id, "removepassword"]) => {
            application::remove_password(azure, call, id)
        }
        ("GET", ["applications", id, "federatedidentitycredentials"]) => {
            application::federations(azure, id)
        }
        ("POST", ["applications", id, "federatedidentitycredentials"]) => {
            application::add_federation(azure, call, id)
        }
        ("GET", ["serviceprincipals"]) => principal::list(azure, call),
        ("POST", ["serviceprincipals"]) => principal::create(azure, call),
        ("GET", ["serviceprincipals", id]) => principal::show(azure, id),
        ("DELETE", ["serviceprincipals", id]) => principal::delete(azure, id),
        _ => Err(Refusal::unknown(method, &call.path)),
    }
}

/// An error as Graph writes them.
fn refuse(azure: &Azure, status: u16, code: &str, message: &str) -> Refusal {
    let [request, client] = [(); 2].map(|()| uuid::Uuid::new_v4().to_string());
    Refusal::shaped(
        status,
        json!({ "error": { "code": code, "message": message, "innerError": {
            "date": crate::clock::arm(azure.clock().now()),
            "request-id": request, "client-request-id": client,
        } } }),
    )
}

fn not_found(azure: &Azure, id: &str) -> Refusal {
    let text = format!(
        "Resource '{id}' does not exist or one of its queried reference-property objects are not present."
    );
    refuse(azure, 404, "Request_ResourceNotFound", &text)
}

fn context(call: &Call, of: &str) -> String {
    format!("{}{of}", call.origin.url(crate::net::host::GRAPH, "/v1.0/$metadata#"))
}

fn collection(call: &Call, of: &str, values: Vec<Value>) -> Answer {
    Answer::ok(json!({ "@odata.context": context(call, of), "value": values }))
}

/// What a `$filter` asks for. Others are refused: a filter that is not understood would find too much.
#[derive(Debug, PartialEq, Eq)]
enum Filter {
    All,
    /// `field eq 'value'`
    Equals(String, String),
    /// `startswith(field,'value')`
    Begins(String, String),
    /// `servicePrincipalNames/any(c:c eq 'value')`
    Named(String),
}

impl Filter {
    fn of(azure: &Azure, call: &Call) -> Result<Self, Refusal> {
        let Some(text) = call.query("$filter") else { return Ok(Self::All) };
        Self::parse(text).ok_or_else(|| {
            let text = format!("Invalid filter clause: the emulator does not understand '{text}'.");
            refuse(azure, 400, "Request_UnsupportedQuery", &text)
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let quoted = |text: &str| {
            let inner = text.trim().strip_prefix('\'')?.strip_suffix('\'')?;
            Some(inner.replace("''", "'"))
        };
        if let Some(rest) = text.strip_prefix("startswith(") {
            let (field, value) = rest.strip_suffix(')')?.split_once(',')?;
            return Some(Self::Begins(field.trim().to_owned(), quoted(value)?));
        }
        if let Some((_, rest)) = text
            .split_once("/any(")
            .filter(|(field, _)| ["servicePrincipalNames", "identifierUris"].contains(field))
        {
            let (_, value) = rest.strip_suffix(')')?.split_once(" eq ")?;
            return Some(Self::Named(quoted(value)?));
        }
        let (field, value) = text.split_once(" eq ")?;
        Some(Self::Equals(field.trim().to_owned(), quoted(value)?))
    }

    /// Whether a document fits. Graph compares names without case.
    fn fits(&self, document: &Value) -> bool {
        let field = |name: &str| {
            document.get(name).and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase()
        };
        match self {
            Self::All => true,
            Self::Equals(name, value) => field(name) == value.to_ascii_lowercase(),
            Self::Begins(name, value) => field(name).starts_with(&value.to_ascii_lowercase()),
            Self::Named(value) => ["servicePrincipalNames", "identifierUris"]
                .iter()
                .filter_map(|list| document.get(*list).and_then(Value::as_array))
                .flatten()
                .any(|name| name.as_str().is_some_and(|name| name.eq_ignore_ascii_case(value))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_of_az_are_understood() {
        let parse = |text| Filter::parse(text);
        assert_eq!(
            parse("displayName eq 'it''s'"),
            Some(Filter::Equals("displayName".to_owned(), "it's".to_owned()))
        );
        assert_eq!(
            parse("startswith(displayName,'a')"),
            Some(Filter::Begins("displayName".to_owned(), "a".to_owned()))
        );
        assert_eq!(
            parse("servicePrincipalNames/any(c:c eq 'x')"),
            Some(Filter::Named("x".to_owned()))
        );
    }

    #[test]
    fn others_are_not() {
        for text in
            ["", "a", "a eq b", "startswith(a", "startswith(a,b)", "x/any(c:c eq 'x')", "a eq '"]
        {
            assert_eq!(Filter::parse(text), None, "{text}");
        }
    }
}
