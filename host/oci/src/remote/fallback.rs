//! Referrers: the API of the registry, or the tag that stands for it.
//!
//! A registry that does not know the API (distribution-spec, "Listing Referrers") keeps the list in
//! an index under the tag `ALGORITHM-HEX` of the subject ("Referrers Tag Schema"), which clients
//! write. Two clients that write at the same time can lose an entry, and the specification has no
//! means against it: what was written is read again, and written again if somebody was faster.

use bytes::Bytes;
use http::Method;

use super::RemoteRepository;
use super::auth::Action;
use super::page::Pages;
use crate::{Content, Descriptor, Digest, Error, Index, Manifest, MediaType, Selector, Tag};

/// The tag of the specification is `ALGORITHM-HEX`, with at most 32 and 64 characters.
const ALGORITHM_LENGTH: usize = 32;
/// Of one entry, while others write too.
const MOST_WRITES: usize = 5;

/// See [`ALGORITHM_LENGTH`].
const HEX_LENGTH: usize = 64;

impl RemoteRepository {
    pub(super) async fn list_referrers(
        &self,
        digest: &Digest,
        artifact_type: Option<&MediaType>,
    ) -> Result<Vec<Descriptor>, Error> {
        let mut url = self.url(&format!("referrers/{digest}"))?;
        if let Some(wanted) = artifact_type {
            url.query_pairs_mut().append_pair("artifactType", wanted.as_str());
        }
        let (mut listed, mut list) = (Vec::new(), Pages::default());
        loop {
            let is_first = list.is_empty();
            let ask = self.ask(Method::GET, url, Action::Pull);
            match self.json_page::<Index>(&ask, "referrers", &mut list).await {
                Ok((index, next)) => {
                    listed.extend(index.manifests);
                    match next {
                        Some(next) => url = next,
                        None => break,
                    }
                }
                Err(Error::NotFound { .. }) if is_first => {
                    listed = self.fallback_index(digest).await?.0;
                    break;
                }
                // Some registries say "bad request" or "not allowed" to a path that they do not know.
                Err(Error::Remote(error))
                    if is_first
                        && error.status().is_some_and(|s| matches!(s.as_u16(), 400 | 405)) =>
                {
                    listed = self.fallback_index(digest).await?.0;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        // Nobody need have filtered.
        listed.retain(|entry| {
            artifact_type.is_none() || entry.artifact_type.as_ref() == artifact_type
        });
        Ok(listed)
    }

    /// The entries under the tag, with the document they are in.
    async fn fallback_index(
        &self,
        digest: &Digest,
    ) -> Result<(Vec<Descriptor>, Option<Manifest>), Error> {
        let selector = Selector::Tag(fallback_tag(digest)?);
        match self.get_manifest(&selector).await {
            Ok(manifest) => match manifest.content() {
                Content::Index(index) => Ok((index.manifests.clone(), Some(manifest))),
                Content::Image(_) | Content::Opaque => Ok((Vec::new(), None)),
            },
            Err(Error::NotFound { .. }) => Ok((Vec::new(), None)),
            Err(error) => Err(error),
        }
    }

    /// Adds `manifest` to the list of its subject.
    pub(super) async fn list_referrer(
        &self,
        subject: &Digest,
        manifest: &Manifest,
    ) -> Result<(), Error> {
        let entry = manifest.as_referrer();
        let (mut entries, _) = self.fallback_index(subject).await?;
        for _ in 0..MOST_WRITES {
            if entries.iter().any(|known| known.digest == entry.digest) {
                return Ok(());
            }
            entries.push(entry.clone());
            self.write_fallback(subject, &entries).await?;
            entries = self.fallback_index(subject).await?.0;
        }
        match entries.iter().any(|known| known.digest == entry.digest) {
            true => Ok(()),
            false => Err(Error::invalid(
                format!("the referrers of {subject} in {}", self.place()),
                "others write them at the same time, again and again",
            )),
        }
    }

    /// Takes a manifest that was deleted out of the list of its subject, if there is one.
    pub(super) async fn unlist_referrer(
        &self,
        subject: &Digest,
        digest: &Digest,
    ) -> Result<(), Error> {
        for _ in 0..MOST_WRITES {
            let (mut entries, _) = self.fallback_index(subject).await?;
            let before = entries.len();
            entries.retain(|entry| entry.digest != *digest);
            if entries.len() == before {
                return Ok(());
            }
            self.write_fallback(subject, &entries).await?;
        }
        Ok(())
    }

    async fn write_fallback(&self, subject: &Digest, entries: &[Descriptor]) -> Result<(), Error> {
        let document = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_INDEX,
            "manifests": entries,
        });
        let index = Manifest::new(MediaType::OCI_INDEX, Bytes::from(document.to_string()))?;
        let tag = Selector::Tag(fallback_tag(subject)?);
        self.send_manifest(&index, &tag).await.map(|_| ())
    }

    /// Deletes a manifest or a tag; a referrer leaves the list of its subject too.
    pub(super) async fn delete_manifest(&self, selector: &Selector) -> Result<bool, Error> {
        let subject = match selector {
            Selector::Tag(_) => None,
            Selector::Digest(digest) => match self.get_manifest(selector).await {
                Ok(manifest) => manifest.subject().map(|subject| (subject.digest, *digest)),
                Err(Error::NotFound { .. }) => return Ok(false),
                // What nobody can read any more may be deleted all the same.
                Err(Error::Mismatch { .. } | Error::Invalid { .. } | Error::Schema1 { .. }) => None,
                Err(error) => return Err(error),
            },
        };
        let was_there = self.delete_at(&format!("manifests/{selector}")).await?;
        if let Some((subject, digest)) = subject {
            self.unlist_referrer(&subject, &digest).await?;
        }
        Ok(was_there)
    }
}

fn fallback_tag(digest: &Digest) -> Result<Tag, Error> {
    let mut algorithm = digest.algorithm().to_string();
    algorithm.truncate(ALGORITHM_LENGTH);
    let mut hex = digest.hex();
    hex.truncate(HEX_LENGTH);
    format!("{algorithm}-{hex}").parse().map_err(|error: crate::ReferenceError| {
        Error::invalid("a referrers tag", error.to_string())
    })
}
