//! What a copy is about: what is asked for of the source, and what stands in the target.

use std::collections::BTreeSet;

use super::{Job, blobs};
use crate::index::{Selection, select};
use crate::{
    Content, Descriptor, Digest, Error, IndexChoice, Manifest, Mismatch, Platform, Selector, Store,
    Tag,
};

/// What is to be copied, as far as it had to be read.
pub(super) struct Source {
    pub(super) descriptor: Descriptor,
    pub(super) manifest: Option<Manifest>,
    /// Of an index of which only some manifests come along: which.
    pub(super) kept: Option<BTreeSet<Digest>>,
    /// Whether it is an index that was made here, and stands nowhere yet.
    pub(super) is_new: bool,
    /// What the source has, of which this may be a part.
    pub(super) origin: Digest,
}

/// What stands under the tags that are to be written.
pub(super) struct Target(Vec<(Tag, Option<Descriptor>)>);

/// The source and the target held against each other.
pub(super) struct Plan {
    pub(super) source: Source,
    pub(super) target: Target,
    /// Whether all of the source is in the target already, under whatever name.
    pub(super) is_there: bool,
}

impl Source {
    fn known(descriptor: Descriptor) -> Self {
        let origin = descriptor.digest;
        Self { descriptor, manifest: None, kept: None, is_new: false, origin }
    }

    fn read(manifest: Manifest) -> Self {
        let descriptor = manifest.descriptor();
        let origin = descriptor.digest;
        Self { descriptor, manifest: Some(manifest), kept: None, is_new: false, origin }
    }

    pub(super) fn digest(&self) -> Digest {
        self.descriptor.digest
    }

    /// The platforms, as far as what was read names them.
    pub(super) fn platforms(&self) -> Vec<Platform> {
        match self.manifest.as_ref().map(Manifest::content) {
            Some(Content::Index(index)) => index.platforms_of(self.kept.as_ref()),
            Some(Content::Image(_) | Content::Opaque) | None => {
                self.descriptor.platform.iter().cloned().collect()
            }
        }
    }

    /// Where the source has another digest than the caller was promised.
    fn check(&self, job: &Job<'_>, selector: &Selector, expect: &Digest) -> Result<(), Error> {
        let verdict = match &self.manifest {
            Some(manifest) => expect.verify(manifest.bytes()),
            None if self.digest() == *expect => Ok(()),
            None => Err(Mismatch::digest(*expect, self.digest())),
        };
        let what = || format!("manifest {selector} of {}", job.from.name());
        verdict.map_err(|mismatch| Error::mismatch(what(), mismatch))
    }
}

impl Target {
    async fn look(to: &dyn Store, tags: &[Tag]) -> Result<Self, Error> {
        let looks = tags.iter().map(|tag| async move {
            let found = to.resolve(&Selector::Tag(tag.clone())).await?;
            Ok::<_, Error>((tag.clone(), found))
        });
        Ok(Self(futures::future::try_join_all(looks).await?))
    }

    fn found(&self) -> impl Iterator<Item = &Digest> {
        self.0.iter().filter_map(|(_, found)| found.as_ref().map(|found| &found.digest))
    }

    /// Whether any of the tags is there.
    pub(super) fn is_known(&self) -> bool {
        self.found().next().is_some()
    }

    pub(super) fn has(&self, digest: &Digest) -> bool {
        self.found().any(|found| found == digest)
    }

    /// The tags that must be written, with what they point at.
    pub(super) fn pending(&self, digest: Digest) -> impl Iterator<Item = (&Tag, Option<&Digest>)> {
        let entries = self.0.iter().map(|(tag, found)| (tag, found.as_ref().map(|f| &f.digest)));
        entries.filter(move |(_, found)| *found != Some(&digest))
    }

    /// The tags that must be written, if they may.
    pub(super) fn writable(
        &self,
        digest: Digest,
        force: bool,
        place: &dyn Store,
    ) -> Result<Vec<Tag>, Error> {
        let may = |(tag, found): (&Tag, Option<&Digest>)| match found {
            Some(found) if !force => Err(Error::Conflict {
                tag: tag.clone(),
                place: place.name(),
                found: Box::new(*found),
                wanted: Box::new(digest),
            }),
            Some(_) | None => Ok(tag.clone()),
        };
        self.pending(digest).map(may).collect()
    }
}

impl Plan {
    /// Looks at both sides, and reads no more than must be known. Writes nothing.
    pub(super) async fn make(job: &Job<'_>, selector: &Selector) -> Result<Self, Error> {
        let target = Target::look(job.to, &job.options.tags).await?;
        let source = match job.options.platforms.is_empty() {
            true => Source::whole(job, selector, &target).await?,
            false => Source::filtered(job, selector).await?,
        };
        let is_there = job.has(&source, &target).await?;
        Ok(Self { source, target, is_there })
    }
}

impl Source {
    /// Everything at `selector`; read only if it will have to be.
    async fn whole(job: &Job<'_>, selector: &Selector, target: &Target) -> Result<Self, Error> {
        let by_digest = matches!(selector, Selector::Digest(_));
        let needs_digest = job.options.tags.is_empty() && !by_digest;
        // Digests of two algorithms can only be compared over the bytes.
        let usual = crate::Algorithm::Sha256;
        let needs_bytes = job.options.expect.is_some_and(|expect| expect.algorithm() != usual);
        let source = if needs_bytes || (!target.is_known() && !needs_digest) {
            Self::read(job.from.manifest(selector).await?)
        } else {
            let found = job.from.resolve(selector).await?;
            Self::known(found.ok_or_else(|| Error::NotFound {
                what: format!("manifest {selector}"),
                place: job.from.name(),
            })?)
        };
        if let Some(expect) = &job.options.expect {
            source.check(job, selector, expect)?;
        }
        Ok(source)
    }

    /// What of it is for the wanted platforms.
    async fn filtered(job: &Job<'_>, selector: &Selector) -> Result<Self, Error> {
        let wanted = &job.options.platforms;
        let source = Self::read(job.from.manifest(selector).await?);
        if let Some(expect) = &job.options.expect {
            source.check(job, selector, expect)?;
        }
        let Some(manifest) = &source.manifest else { return Ok(source) };
        let Content::Index(index) = manifest.content() else {
            let platform = blobs::platform_of(job.from, manifest).await?;
            let fits = |have: &Platform| wanted.iter().any(|want| have.satisfies(want));
            return match platform.as_ref().is_none_or(fits) {
                true => Ok(source),
                false => Err(Error::NoSuchPlatform {
                    digest: manifest.digest(),
                    missing: wanted.clone(),
                    present: platform.into_iter().collect(),
                }),
            };
        };
        if job.options.index == IndexChoice::Sparse {
            let kept = index.kept(manifest, wanted)?;
            let is_whole = kept.len() == index.manifests.len();
            return Ok(Self { kept: (!is_whole).then_some(kept), ..source });
        }
        let origin = manifest.digest();
        Ok(match select(manifest, index, wanted)? {
            Selection::Whole => source,
            Selection::One(entry) => Self { origin, ..Self::known(*entry) },
            Selection::Some(cut) => Self { is_new: true, origin, ..Self::read(*cut) },
        })
    }
}
