//! Signatures, SBOMs and attestations, which come along with what they speak about.
//!
//! Found are: what the source lists as referrers (distribution-spec, "Listing Referrers"; the store
//! knows the tag that stands for the list where a registry keeps none), and what cosign keeps under
//! tags, `sha256-HEX.sig`, `.att` and `.sbom`. Each thing found may be spoken about itself.
//!
//! Requests. One `GET` asks for the referrers of a subject. Cosign's tags would cost three `HEAD`s
//! for each subject; listing the tags of the repository costs one `GET` for all, so that is done
//! unless there turn out to be so many tags that it would cost more than the `HEAD`s. Listed tags
//! are then resolved by a `HEAD` each.
//!
//! - A new image: its manifest and each one below it is a subject; the target is not asked, for
//!   what speaks about content that was not there is not there either.
//! - An unchanged tag, if [`crate::CopyOptions::recheck_referrers`] says so: of the source the
//!   referrers of the root alone and the tags (2 requests); of
//!   the target nothing if there are none, else its list (1). Only if something is missing there,
//!   everything is looked at. So what is attached later to one platform of an index comes along when
//!   the index or something about it changes. A tag can stand for the rest because it is written
//!   last: if something fails, the next copy looks at everything.
//! - An image that is there, but not under the tag: everything is looked at, on both sides.
//!
//! Never: a referrer before its subject, or two at once to the same subject: where the list is a tag,
//! one of them would be lost.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, TryStreamExt as _};

use super::Job;
use super::plan::Plan;
use super::tree::{MOST_MANIFEST_BYTES, is_manifest};
use super::whereabouts::Item;
use crate::{Descriptor, Digest, Error, Manifest, MediaType, Referrers, Selector, Tag};

/// A signature of an SBOM of an image is 2 deep; who needs more than this plays with us.
const DEEPEST: usize = 6;

/// Scanners attach a report a day; this is three years of it.
const MOST_REFERRERS: usize = 1000;

/// Registries answer with at least so many tags a page.
const SMALL_PAGE: usize = 100;

/// And at most so many; some refuse to be asked for more.
const LARGE_PAGE: usize = 1000;

/// Under which tag cosign keeps what, and the artifact types as which it is asked for: those that
/// cosign gives it as a referrer, and those of its layers.
const COSIGN: [(&str, &[&str]); 3] = [
    (
        "sig",
        &[
            "application/vnd.dev.cosign.artifact.sig.v1+json",
            "application/vnd.dev.cosign.simplesigning.v1+json",
        ],
    ),
    (
        "att",
        &[
            "application/vnd.dev.cosign.artifact.att.v1+json",
            "application/vnd.dsse.envelope.v1+json",
            "application/vnd.in-toto+json",
        ],
    ),
    (
        "sbom",
        &[
            "application/vnd.dev.cosign.artifact.sbom.v1+json",
            "application/spdx+json",
            "application/vnd.cyclonedx+json",
            "application/vnd.cyclonedx+xml",
            "application/vnd.syft+json",
            "text/spdx",
            "text/spdx+json",
            "text/spdx+xml",
        ],
    ),
];

/// Something that speaks about a subject.
#[derive(Clone, Debug)]
pub(super) struct Found {
    subject: Digest,
    pub(super) descriptor: Descriptor,
    /// Where it is found by its tag.
    tag: Option<Tag>,
}

/// What was found, a level after the other: what speaks about the image, what speaks about that.
#[derive(Default)]
pub(super) struct Levels {
    pub(super) missing: Vec<Vec<Found>>,
    /// Those that are in the target already.
    pub(super) there: Vec<Found>,
}

impl Levels {
    /// Whether nothing is missing.
    pub(super) fn is_complete(&self) -> bool {
        self.missing.iter().all(Vec::is_empty)
    }
}

/// The tags of the source that could be cosign's, if they could be listed.
struct TagList(Option<BTreeSet<String>>);

impl Referrers {
    fn are_wanted(&self) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Only(types) => !types.is_empty(),
        }
    }

    fn wants(&self, artifact_type: Option<&MediaType>) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Only(types) => artifact_type.is_some_and(|found| types.contains(found)),
        }
    }

    /// What a registry may be asked to leave out.
    fn only_type(&self) -> Option<&MediaType> {
        match self {
            Self::Only(types) if types.len() == 1 => types.first(),
            Self::None | Self::All | Self::Only(_) => None,
        }
    }

    /// The suffixes of cosign's tags that are wanted.
    fn suffixes(&self) -> Vec<&'static str> {
        let is_wanted =
            |types: &[&str]| types.iter().any(|known| self.wants(Some(&MediaType::new(known))));
        COSIGN.iter().filter(|(_, types)| is_wanted(types)).map(|(suffix, _)| *suffix).collect()
    }
}

impl Job<'_> {
    /// What speaks about the source and is to be in the target. `root` is the source, if it was
    /// read.
    pub(super) async fn find_referrers(
        &self,
        plan: &Plan,
        root: Option<&Manifest>,
    ) -> Result<Levels, Error> {
        // In the same repository everything is that could be found.
        if !self.options.referrers.are_wanted() || self.is_same_repository() {
            return Ok(Levels::default());
        }
        let source = &plan.source;
        let is_unchanged = plan.is_there && plan.target.pending(source.digest()).next().is_none();
        if is_unchanged && !self.options.recheck_referrers {
            return Ok(Levels::default());
        }
        // A sparse index may have been there before.
        let is_fresh = !plan.is_there && source.kept.is_none();
        // A tag is written when all that was found is there: only what is new is looked for.
        if plan.is_there && plan.target.has(&source.digest()) {
            let roots = match (source.is_new, &source.manifest) {
                (true, Some(index)) => index.manifests().iter().map(|e| e.digest).collect(),
                (_, _) => vec![source.digest()],
            };
            let tags = self.list_tags(roots.len()).await?;
            let first = self.next_level(&roots, &tags).await?;
            let levels = self.split(vec![first], false).await?;
            if levels.is_complete() {
                return Ok(levels);
            }
        }
        let roots = self.subjects(plan, root).await?;
        let found = self.discover(roots).await?;
        self.split(found, is_fresh).await
    }

    /// The manifest that is copied and those below it, as far as they are in the source.
    async fn subjects(&self, plan: &Plan, root: Option<&Manifest>) -> Result<Vec<Digest>, Error> {
        let source = &plan.source;
        let mut subjects = Vec::new();
        if !source.is_new {
            subjects.push(source.digest());
        }
        let read = match root {
            None if source.descriptor.media_type.is_index() => {
                Some(self.read(&source.descriptor).await?)
            }
            Some(_) | None => None,
        };
        let mut indexes: Vec<Manifest> = root.cloned().or(read).into_iter().collect();
        let mut seen: BTreeSet<Digest> = BTreeSet::new();
        while let Some(index) = indexes.pop() {
            for entry in index.manifests().iter().filter(|entry| is_manifest(&entry.media_type)) {
                let is_kept = source.kept.as_ref().is_none_or(|kept| kept.contains(&entry.digest));
                if !is_kept || !seen.insert(entry.digest) {
                    continue;
                }
                subjects.push(entry.digest);
                // The copy has followed these before, and has found them to be neither too many nor
                // too deep; what was there already is followed no further than it goes.
                if entry.media_type.is_index() && seen.len() <= MOST_REFERRERS {
                    indexes.push(self.read(entry).await?);
                }
            }
        }
        Ok(subjects)
    }

    async fn discover(&self, roots: Vec<Digest>) -> Result<Vec<Vec<Found>>, Error> {
        let what = || format!("the referrers in {}", self.from.name());
        let tags = self.list_tags(roots.len()).await?;
        let mut seen: BTreeSet<Digest> = roots.iter().copied().collect();
        let (mut levels, mut subjects) = (Vec::new(), roots);
        let (mut count, mut bytes) = (0, 0_u64);
        while !subjects.is_empty() {
            if levels.len() > DEEPEST {
                let why = format!("they speak about each other more than {DEEPEST} deep");
                return Err(Error::invalid(what(), why));
            }
            let mut level = self.next_level(&subjects, &tags).await?;
            // The same thing under a tag of its own is written under that, too.
            level.retain(|found| !seen.contains(&found.descriptor.digest) || found.tag.is_some());
            subjects.clear();
            for found in &level {
                if seen.insert(found.descriptor.digest) {
                    subjects.push(found.descriptor.digest);
                }
                bytes = bytes.saturating_add(found.descriptor.size);
            }
            count += level.len();
            if count > MOST_REFERRERS || bytes > MOST_MANIFEST_BYTES {
                let why = format!(
                    "there are more than {MOST_REFERRERS} of them, or they have more than \
                     {MOST_MANIFEST_BYTES} bytes"
                );
                return Err(Error::invalid(what(), why));
            }
            levels.push(level);
        }
        Ok(levels)
    }

    /// What speaks about `subjects`.
    async fn next_level(&self, subjects: &[Digest], tags: &TagList) -> Result<Vec<Found>, Error> {
        // Collected, because a closure that lends would keep the whole from being `Send`.
        let looks: Vec<_> =
            subjects.iter().map(|subject| self.referrers_of(subject, tags)).collect();
        let lists: Vec<Vec<Found>> = futures::stream::iter(looks)
            .buffered(self.options.parallel.max(1))
            .try_collect()
            .await?;
        Ok(lists.into_iter().flatten().collect())
    }

    async fn referrers_of(&self, subject: &Digest, tags: &TagList) -> Result<Vec<Found>, Error> {
        let wanted = &self.options.referrers;
        let (listed, tagged) = futures::try_join!(
            self.from.referrers(subject, wanted.only_type()),
            self.tagged(subject, tags),
        )?;
        let is_wanted = |entry: &Descriptor| wanted.wants(entry.artifact_type.as_ref());
        let listed = listed.into_iter().filter(is_wanted);
        let listed = listed.map(|descriptor| Found { subject: *subject, descriptor, tag: None });
        Ok(listed.chain(tagged).collect())
    }

    /// What cosign keeps about `subject`.
    async fn tagged(&self, subject: &Digest, tags: &TagList) -> Result<Vec<Found>, Error> {
        let name = |suffix| format!("{}-{}.{suffix}", subject.algorithm(), subject.hex());
        let names = self.options.referrers.suffixes().into_iter().map(name);
        let names = names.filter(|name| tags.0.as_ref().is_none_or(|tags| tags.contains(name)));
        // A sha512 makes no tag: it would be too long.
        let looks = names.filter_map(|name| name.parse::<Tag>().ok()).map(|tag| async move {
            let found = self.from.resolve(&Selector::Tag(tag.clone())).await?;
            let found =
                found.map(|descriptor| Found { subject: *subject, descriptor, tag: Some(tag) });
            Ok::<_, Error>(found)
        });
        Ok(futures::future::try_join_all(looks).await?.into_iter().flatten().collect())
    }

    /// The tags of the source, if they are so few that to list them costs no more than to ask for
    /// those of `subjects`.
    async fn list_tags(&self, subjects: usize) -> Result<TagList, Error> {
        let suffixes = self.options.referrers.suffixes().len();
        if suffixes == 0 {
            return Ok(TagList(Some(BTreeSet::new())));
        }
        let heads = suffixes.saturating_mul(subjects);
        if heads < 2 {
            return Ok(TagList(None));
        }
        let limit = SMALL_PAGE.saturating_mul(heads - 1).min(LARGE_PAGE);
        match self.from.tags(None, limit).await {
            Ok(tags) if tags.len() < limit => {
                let could_be = |tag: &String| tag.starts_with("sha") && tag.contains('-');
                Ok(TagList(Some(tags.into_iter().filter(could_be).collect())))
            }
            Ok(_) => Ok(TagList(None)),
            // Who may pull need not be allowed to list.
            Err(error) if !error.is_transient() => {
                tracing::debug!(%error, "tags are asked for one by one");
                Ok(TagList(None))
            }
            Err(error) => Err(error),
        }
    }

    /// Parts what is in the target from what is not. If the image is fresh there, nothing is.
    async fn split(&self, levels: Vec<Vec<Found>>, is_fresh: bool) -> Result<Levels, Error> {
        let mut split = Levels::default();
        let mut fresh: BTreeSet<Digest> = BTreeSet::new();
        for level in levels {
            // What speaks about something that is not there is not there either.
            let is_asked = |found: &Found| !is_fresh && !fresh.contains(&found.subject);
            let listed =
                self.listed_in_target(level.iter().filter(|found| is_asked(found))).await?;
            let mut missing = Vec::new();
            for found in level {
                let digest = found.descriptor.digest;
                let is_known = found.tag.is_none()
                    && self.options.whereabouts.knows(self.there, Item::Manifest(digest));
                let is_listed = listed.contains(&(found.subject, found.tag.clone(), digest));
                if is_known || is_listed {
                    split.there.push(found);
                } else {
                    fresh.insert(digest);
                    missing.push(found);
                }
            }
            split.missing.push(missing);
        }
        Ok(split)
    }

    /// Which of `found` the target has, by subject and tag.
    async fn listed_in_target<'f>(
        &self,
        found: impl Iterator<Item = &'f Found>,
    ) -> Result<BTreeSet<(Digest, Option<Tag>, Digest)>, Error> {
        let asked: BTreeSet<(Digest, Option<Tag>)> =
            found.map(|found| (found.subject, found.tag.clone())).collect();
        let looks: Vec<_> =
            asked.into_iter().map(|(subject, tag)| self.listed(subject, tag)).collect();
        let lists: Vec<Vec<(Digest, Option<Tag>, Digest)>> = futures::stream::iter(looks)
            .buffer_unordered(self.options.parallel.max(1))
            .try_collect()
            .await?;
        Ok(lists.into_iter().flatten().collect())
    }

    async fn listed(
        &self,
        subject: Digest,
        tag: Option<Tag>,
    ) -> Result<Vec<(Digest, Option<Tag>, Digest)>, Error> {
        Ok(match tag {
            None => {
                let listed =
                    self.to.referrers(&subject, self.options.referrers.only_type()).await?;
                listed.into_iter().map(|entry| (subject, None, entry.digest)).collect()
            }
            Some(tag) => {
                let found = self.to.resolve(&Selector::Tag(tag.clone())).await?;
                found.into_iter().map(|found| (subject, Some(tag.clone()), found.digest)).collect()
            }
        })
    }

    /// Brings what is missing; how many are in the target then.
    pub(super) async fn bring_referrers(&self, found: Result<Levels, Error>) -> Result<u64, Error> {
        let levels = found?;
        let mut count = levels.there.len() as u64;
        for found in &levels.there {
            self.skipped_manifest(&found.descriptor);
        }
        for level in levels.missing {
            count += level.len() as u64;
            let manifests = self.read_all(&level).await?;
            self.contents(&manifests, None, false).await?;
            let mut by_subject: BTreeMap<Digest, Vec<(Manifest, Option<Tag>)>> = BTreeMap::new();
            for (found, manifest) in level.into_iter().zip(manifests) {
                by_subject.entry(found.subject).or_default().push((manifest, found.tag));
            }
            // Collected, because a closure that lends would keep the whole from being `Send`.
            let puts: Vec<_> = by_subject
                .into_iter()
                .map(|(subject, referrers)| self.put_referrers(subject, referrers))
                .collect();
            futures::stream::iter(puts)
                .buffer_unordered(self.options.parallel.max(1))
                .try_collect::<()>()
                .await?;
        }
        Ok(count)
    }

    pub(super) async fn read_all(&self, level: &[Found]) -> Result<Vec<Manifest>, Error> {
        let reads: Vec<_> = level.iter().map(|found| self.read(&found.descriptor)).collect();
        futures::stream::iter(reads).buffered(self.options.parallel.max(1)).try_collect().await
    }

    /// One after the other, and no other copy at the same time.
    async fn put_referrers(
        &self,
        subject: Digest,
        referrers: Vec<(Manifest, Option<Tag>)>,
    ) -> Result<(), Error> {
        let item = Item::Referrers(subject);
        let claim = self.options.whereabouts.claim(self.there, item, None).await;
        for (manifest, tag) in &referrers {
            let item = Item::Manifest(manifest.digest());
            // Another copy may have brought it while this one was on its way.
            match tag.is_none() && self.options.whereabouts.knows(self.there, item) {
                true => self.skipped_manifest(&manifest.descriptor()),
                false => self.put(manifest, tag.as_slice()).await?,
            }
        }
        // Held until here.
        drop(claim);
        Ok(())
    }
}
