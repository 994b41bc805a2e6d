//! Azure Resource Manager, as the host itself asks it: documents are read, and nothing is changed.
//!
//! What steps ask of it goes through their own gate, and is the plugins' business.

use http::Method;
use http::header::AUTHORIZATION;
use serde_json::Value;
use url::Url;

use crate::answer::{Refusal, shown};
use crate::cloud::Audience;
use crate::error::Error;
use crate::identity::{Identity, SecretReader};
use crate::wire::Ask;

/// Pages that are followed of one list. Azure's have a hundred items or more.
const MOST_PAGES: usize = 50;

/// Azure Resource Manager, as an identity sees it.
#[derive(Clone, Copy)]
pub struct Arm<'a> {
    identity: &'a Identity,
    secrets: &'a dyn SecretReader,
}

/// A list that is read page by page.
pub(crate) struct Pages<'a> {
    arm: Arm<'a>,
    what: &'a str,
    next: Option<Url>,
    read: usize,
}

impl Identity {
    /// Azure Resource Manager; `secrets` has what the identity logs in with.
    pub fn arm<'a>(&'a self, secrets: &'a dyn SecretReader) -> Arm<'a> {
        Arm { identity: self, secrets }
    }
}

impl<'a> Arm<'a> {
    /// The list at `path`, asked for in `version` with `query`; `what` says what it is of, in errors.
    pub(crate) fn pages(
        self,
        path: &str,
        version: &str,
        query: &[(&str, &str)],
        what: &'a str,
    ) -> Result<Pages<'a>, Error> {
        let mut url = self.identity.cloud().arm(path).ok_or_else(|| {
            let path = shown(path);
            Error::Setting(format!("`{path}` is no path of Azure Resource Manager"))
        })?;
        url.query_pairs_mut().append_pair("api-version", version).extend_pairs(query);
        Ok(Pages { arm: self, what, next: Some(url), read: 0 })
    }

    /// All of a list.
    pub(crate) async fn list(
        self,
        path: &str,
        version: &str,
        what: &str,
    ) -> Result<Vec<Value>, Error> {
        let Self { identity, secrets } = self;
        let mut pages = Arm { identity, secrets }.pages(path, version, &[], what)?;
        let mut all = Vec::new();
        while let Some(page) = pages.next().await? {
            all.extend(page);
        }
        Ok(all)
    }

    async fn get(self, url: &Url, what: &str) -> Result<Value, Error> {
        let identity = self.identity;
        // A link to the next page is Azure's word: no token goes where it should not.
        let authorization =
            identity.authorization(&Audience::Arm, &Method::GET, url, self.secrets).await?;
        let ask = Ask::get(url.clone()).header(AUTHORIZATION, authorization);
        let answer = identity.wire().send(&ask).await?;
        if !answer.is_success() {
            return Err(Error::Arm {
                identity: identity.name().to_owned(),
                what: what.to_owned(),
                refusal: Box::new(Refusal::of(&answer)),
            });
        }
        serde_json::from_slice(&answer.body).map_err(|_| Error::answer(url, "is no document"))
    }
}

impl Pages<'_> {
    /// The items of the next page; none behind the last one.
    ///
    /// # Errors
    /// Refusals, and [`Error::Answer`] for what is no list or has no end.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Value>>, Error> {
        let Some(url) = self.next.take() else { return Ok(None) };
        if self.read == MOST_PAGES {
            return Err(Error::answer(&url, "has too many pages"));
        }
        self.read += 1;
        let mut page = self.arm.get(&url, self.what).await?;
        let Some(Value::Array(items)) = page.get_mut("value").map(Value::take) else {
            return Err(Error::answer(&url, "is no list"));
        };
        let link = page.get("nextLink").and_then(Value::as_str).filter(|link| !link.is_empty());
        self.next = link
            .map(|link| Url::parse(link).map_err(|_| Error::answer(&url, "has no next page")))
            .transpose()?;
        Ok(Some(items))
    }
}

#[cfg(test)]
mod tests;
