//! Refusals of Entra ID, of managed identities, of registries and of Azure Resource Manager, and what
//! to do about each.

use serde::Deserialize;

use crate::wire::Answer;

/// What a service said when it said no.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// `AADSTS7000215`, `invalid_client`, `Forbidden`; empty if it gave none.
    pub(crate) code: String,
    /// Its own words, one line, without the ids.
    pub(crate) said: String,
    /// What its support asks for.
    pub(crate) trace: Option<String>,
}

/// RFC 6749 §5.2, with what Entra ID adds.
#[derive(Deserialize)]
struct OAuth {
    error: String,
    #[serde(default)]
    error_description: String,
    #[serde(default)]
    error_codes: Vec<u64>,
    #[serde(default)]
    trace_id: Option<String>,
}

/// `{"errors": [{"code", "message"}]}` of a registry.
#[derive(Deserialize)]
struct OfRegistry {
    errors: Vec<Part>,
}

/// `{"error": {"code", "message"}}` of Azure Resource Manager.
#[derive(Deserialize)]
struct OfArm {
    error: Part,
}

#[derive(Deserialize, Default)]
struct Part {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// Their descriptions are long; a line is enough, and the code says the rest.
const LONGEST: usize = 300;

impl Refusal {
    /// What `answer` says, whatever form it has.
    pub(crate) fn of(answer: &Answer) -> Self {
        let status = answer.status;
        if let Ok(said) = serde_json::from_slice::<OAuth>(&answer.body) {
            let description = said.error_description.as_str();
            let code = said.error_codes.first().map(|code| format!("AADSTS{code}"));
            let code = code.or_else(|| code_of(description));
            return Self {
                status,
                code: shown(&code.unwrap_or(said.error)),
                said: first_words(description),
                trace: said.trace_id.filter(|id| !id.is_empty()).map(|id| shown(&id)),
            };
        }
        let of_arm = serde_json::from_slice::<OfArm>(&answer.body).ok().map(|said| said.error);
        let part = of_arm.or_else(|| {
            let said = serde_json::from_slice::<OfRegistry>(&answer.body).ok()?;
            said.errors.into_iter().next()
        });
        let part = part.unwrap_or_default();
        Self { status, code: shown(&part.code), said: first_words(&part.message), trace: None }
    }

    /// Whether the same may be said yes to later.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self.status, 408 | 429 | 500..=599)
            || matches!(self.number(), Some(50196 | 90033 | 90055))
    }

    fn number(&self) -> Option<u32> {
        self.code.strip_prefix("AADSTS")?.parse().ok()
    }

    /// What to do about it.
    pub(crate) fn advice(&self) -> &'static str {
        match self.number() {
            Some(7_000_215) => {
                "give the value of the client secret, not its id; whoever manages the application \
                 makes a new one: `az ad app credential reset --id APP`"
            }
            Some(7_000_222) => {
                "the client secret is over: make a new one, `az ad app credential reset --id APP`, \
                 or log in without one (`federated-token-file`, managed identity)"
            }
            Some(700_016) => {
                "check `client-id` and `tenant`: the application is not in that tenant, or was made \
                 a moment ago and is not known everywhere yet"
            }
            Some(90_002 | 900_023) => "check `tenant`: it is the tenant's id or one of its domains",
            Some(700_213 | 70_021 | 7_002_138) => {
                "compare issuer, subject and audience of the federated credential with the job's: \
                 `az ad app federated-credential list --id APP`; they match letter by letter, upper \
                 and lower case included"
            }
            Some(700_024) => {
                "the clock of this machine, or the token of the job, is off: check both"
            }
            Some(700_027 | 50_012) => {
                "upload the certificate to the application: `az ad app credential reset --id APP \
                 --cert @client.pem --append`; the key has to be that certificate's"
            }
            Some(500_011) => {
                "the tenant does not know what the token is for: check `cloud` and `endpoints` of \
                 the identity"
            }
            Some(50_196 | 90_033 | 90_055) => "too many logins at once: try again in a minute",
            Some(53_003 | 53_000) => {
                "a conditional access policy refuses this: ask who runs the tenant"
            }
            Some(_) | None => match self.status {
                429 | 500..=599 => "try again in a minute",
                _ => "check `tenant`, `client-id` and the credential of the identity",
            },
        }
    }
}

/// `AADSTS700016` at the beginning of a description.
fn code_of(text: &str) -> Option<String> {
    let code = text.split(':').next()?.trim();
    let digits = code.strip_prefix("AADSTS")?;
    let is_code =
        !digits.is_empty() && digits.len() < 10 && digits.bytes().all(|b| b.is_ascii_digit());
    is_code.then(|| code.to_owned())
}

/// The description without its code, its ids and its length.
fn first_words(text: &str) -> String {
    let text = match code_of(text) {
        Some(code) => text.get(code.len() + 1..).unwrap_or_default(),
        None => text,
    };
    let text = text.split("Trace ID:").next().unwrap_or_default();
    shown(text)
}

/// Text of a server on one line, bounded, and without what a terminal would obey.
pub(crate) fn shown(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let line = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    let line = line.trim_end_matches('.');
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, body: &str) -> Refusal {
        Refusal::of(&Answer {
            status,
            headers: http::HeaderMap::new(),
            body: zeroize::Zeroizing::new(body.as_bytes().to_vec()),
        })
    }

    #[test]
    fn a_refusal_keeps_code_words_and_trace() {
        let body = r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided. Ensure it.\r\nTrace ID: 0 Correlation ID: 0","error_codes":[7000215],"trace_id":"1d69"}"#;
        let refusal = refusal(401, body);
        assert_eq!(refusal.code, "AADSTS7000215");
        assert_eq!(refusal.said, "Invalid client secret provided. Ensure it");
        assert_eq!(refusal.trace.as_deref(), Some("1d69"));
        assert!(refusal.advice().contains("not its id") && !refusal.is_passing());
    }

    #[test]
    fn the_code_is_found_without_the_list_of_codes() {
        let body = r#"{"error":"unauthorized_client","error_description":"AADSTS700016: Application was not found"}"#;
        assert_eq!(refusal(400, body).code, "AADSTS700016");
        let body = r#"{"error":"invalid_request","error_description":"Identity not found"}"#;
        let refusal = refusal(400, body);
        assert_eq!(
            (refusal.code.as_str(), refusal.said.as_str()),
            ("invalid_request", "Identity not found")
        );
    }

    #[test]
    fn whatever_a_server_says_is_one_short_harmless_line() {
        for body in
            ["", "<html>\n", "null", "[]", "{}", "\u{1b}[2J", r#"{"errors":[]}"#, r#"{"error":1}"#]
        {
            let refusal = refusal(502, body);
            assert_eq!((refusal.code.as_str(), refusal.said.as_str()), ("", ""), "{body}");
            assert!(refusal.is_passing());
        }
        let long =
            format!(r#"{{"error":"a\u001b[2J\nb","error_description":"{}"}}"#, "é ".repeat(2000));
        let refusal = refusal(400, &long);
        assert_eq!(refusal.code, "a [2J b");
        assert!(refusal.said.chars().count() <= LONGEST + 1 && refusal.said.ends_with('…'));
        assert_eq!(code_of("AADSTS:"), None);
        assert_eq!(code_of("AADSTS99999999999999: x"), None);
        assert_eq!(code_of("AADSTS1é: x"), None);
    }

    #[test]
    fn registries_say_it_in_their_own_way() {
        let body = r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required, visit x","detail":null}]}"#;
        let refusal = refusal(401, body);
        assert_eq!(
            (refusal.code.as_str(), refusal.said.as_str()),
            ("UNAUTHORIZED", "authentication required, visit x")
        );
    }

    #[test]
    fn so_does_azure_resource_manager() {
        let body = r#"{"error":{"code":"AuthorizationFailed","message":"The client 'a' has\r\nno right."}}"#;
        let refusal = refusal(403, body);
        assert_eq!(
            (refusal.code.as_str(), refusal.said.as_str()),
            ("AuthorizationFailed", "The client 'a' has no right")
        );
    }
}
