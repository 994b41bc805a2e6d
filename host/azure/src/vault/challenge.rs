//! What a vault wants, in its `WWW-Authenticate`.

use http::header::WWW_AUTHENTICATE;
use url::Url;

use crate::wire::Answer;

/// What a vault wants: RFC 6750, with the words of Key Vault.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Challenge {
    pub(super) tenant: Option<String>,
    pub(super) resource: Option<String>,
}

impl Challenge {
    pub(super) fn of(answer: &Answer) -> Self {
        let Some(text) = answer.header(&WWW_AUTHENTICATE) else { return Self::default() };
        let mut challenge = Self::default();
        let parts = text.strip_prefix("Bearer ").unwrap_or_default().split(',');
        for (key, value) in parts.filter_map(|part| part.split_once('=')) {
            let value = value.trim().trim_matches('"');
            match key.trim() {
                "authorization" | "authorization_uri" => {
                    let url = Url::parse(value).ok();
                    let tenant = url.as_ref().and_then(|url| url.path_segments()?.next());
                    challenge.tenant = tenant.filter(|t| !t.is_empty()).map(str::to_owned);
                }
                "resource" => challenge.resource = Some(value.to_owned()),
                "scope" => {
                    let resource = value.strip_suffix("/.default").unwrap_or(value);
                    challenge.resource = Some(resource.to_owned());
                }
                _ => {}
            }
        }
        challenge
    }
}
