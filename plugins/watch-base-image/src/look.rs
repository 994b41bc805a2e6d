//! What images are now: as few requests as will do.
//!
//! `HEAD` says the digest. Only where that is a new one, and of an index, is the index read.

use images::{Change, Known, Sight, platform};
use serde::Deserialize;
use windlass_plugin::{Error, Result};

use crate::book::{Book, Note};
use crate::host::{Head, Host};
use crate::target::{Target, join};

/// What was seen, and what it is to be held against.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What it is.
    pub sight: Sight,
    /// What it was; none if nothing is known.
    pub old: Option<Sight>,
}

/// What a registry says of an image: nothing if there is none.
pub type Answer = Result<Option<Head>>;

/// Looks at `target`; `answer` is what its reference points at, if that was asked already.
///
/// # Errors
/// What the registry says; `not-found.tag` and `not-found.tags`.
pub fn look(
    target: &Target,
    known: Option<&Known>,
    answer: Option<Answer>,
    host: &dyn Host,
) -> Result<Seen> {
    let remembered = known.and_then(|known| known.seen.as_ref());
    let tag = match followed(target, remembered, host)? {
        Followed::Tag(tag) => Some(tag),
        Followed::Reference => None,
        Followed::Gone(sight) => {
            return Ok(Seen { old: Some(sight.clone()), sight });
        }
    };
    let repository = &target.repository;
    let selector = tag.as_deref().unwrap_or(&target.selector);
    let answer = answer.unwrap_or_else(|| host.resolve(repository, selector))?;
    let head = answer.ok_or_else(|| {
        let what = join(repository, selector);
        Error::new("not-found.tag", "the registry has no such image")
            .hint(format!("check that `{what}` exists"))
    })?;
    let stored = known.and_then(|known| known.sight_of(&head.digest));
    let mut sight = match stored.or(target.basis.as_ref().filter(|it| it.digest == head.digest)) {
        Some(sight) => sight.clone(),
        None => sight_of(repository, &head, host)?,
    };
    sight.tag = tag;
    let old = match &target.basis {
        None => remembered.cloned(),
        // It was found to be the same before.
        Some(_) if remembered.is_some_and(|seen| seen.digest == sight.digest) => {
            remembered.cloned()
        }
        Some(basis) => Some(basis_of(repository, basis, &sight, &target.wanted, host)?),
    };
    Ok(Seen { sight, old })
}

/// Asks what the references of `targets` point at, all at the same time; none for those that follow a
/// tag, whose list of tags is asked for first.
pub fn ask_all(targets: &[Target], host: &dyn Host) -> Vec<Option<Answer>> {
    let is_fixed = |target: &&Target| target.follows.is_none();
    let fixed = targets.iter().filter(is_fixed);
    let references: Vec<String> =
        fixed.map(|target| join(&target.repository, &target.selector)).collect();
    let mut answers = host.resolve_all(&references).into_iter();
    targets.iter().map(|target| is_fixed(&target).then(|| answers.next()).flatten()).collect()
}

enum Followed {
    /// What the reference says.
    Reference,
    /// The newest of the tags.
    Tag(String),
    /// The newest is older than the one before: that one is gone, which is no news.
    Gone(Sight),
}

fn followed(target: &Target, remembered: Option<&Sight>, host: &dyn Host) -> Result<Followed> {
    let Some(choice) = &target.follows else { return Ok(Followed::Reference) };
    let repository = &target.repository;
    let tags = host.tags(repository)?;
    let Some(newest) = choice.newest(&tags) else {
        return Err(Error::new("not-found.tags", "no tag of it is meant").hint(format!(
            "none of its {} tags is chosen by `semver` and `tag-regex`",
            tags.len()
        )));
    };
    let before = remembered.and_then(|seen| Some((seen, seen.tag.as_deref()?)));
    Ok(match before {
        Some((seen, tag)) if choice.is_newer(tag, newest) => {
            host.warn(&format!("`{repository}:{tag}` is gone, `{newest}` would be the newest tag"));
            Followed::Gone(seen.clone())
        }
        Some(_) | None => Followed::Tag(newest.to_owned()),
    })
}

fn sight_of(repository: &str, head: &Head, host: &dyn Host) -> Result<Sight> {
    if !Sight::is_index(&head.media_type) {
        return Ok(Sight::single(&head.digest));
    }
    let content = host.manifest(repository, &head.digest)?;
    Sight::of_index(&head.digest, &content)
        .map_err(|error| Error::new("failed.oci", error.to_string()))
}

/// What something was built on, with its platforms, if these are needed to tell what has changed.
fn basis_of(
    repository: &str,
    basis: &Sight,
    sight: &Sight,
    wanted: &[String],
    host: &dyn Host,
) -> Result<Sight> {
    let is_decided = !basis.platforms.is_empty()
        || sight.platforms.is_empty()
        || sight.changes_since(Some(basis), wanted).is_empty();
    if is_decided {
        return Ok(basis.clone());
    }
    match host.manifest(repository, &basis.digest) {
        Ok(content) => {
            Ok(Sight::of_index(&basis.digest, &content).unwrap_or_else(|_| basis.clone()))
        }
        // Registries forget what no tag points at.
        Err(error) if error.is("not-found") => Ok(basis.clone()),
        Err(error) => Err(error),
    }
}

/// A manifest, as far as it is read here.
#[derive(Deserialize)]
struct Manifest {
    config: Option<Head>,
}

/// The configuration of an image, as far as it is read here.
#[derive(Deserialize)]
struct File {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    variant: Option<String>,
    #[serde(rename = "os.version")]
    os_version: Option<String>,
}

/// What `image` says it was built on. It is read once for each digest of it.
///
/// # Errors
/// What the registry says; `invalid.annotations` if it says nothing.
pub fn note_of(image: &str, book: &Book, host: &dyn Host) -> Result<Note> {
    let (repository, selector) = host.open(image)?;
    let name = join(&repository, &selector);
    let key = format!("base of {name}");
    let known = book.note(host, &key)?;
    let head = host.resolve(&repository, &selector)?.ok_or_else(|| {
        Error::new("not-found.tag", "the registry has no such image")
            .hint(format!("check that `{name}` exists"))
    })?;
    if let Some(note) = known.filter(|note| note.of == head.digest) {
        return Ok(note);
    }
    let content = host.manifest(&repository, &head.digest)?;
    let unreadable = |error: serde_json::Error| {
        Error::new("failed.oci", format!("its manifest is not the JSON that was expected: {error}"))
    };
    let mut said = images::note_of(&content).map_err(unreadable)?;
    let platforms = match Sight::is_index(&head.media_type) {
        true => {
            let index = Sight::of_index(&head.digest, &content)
                .map_err(|error| Error::new("failed.oci", error.to_string()))?;
            // Not everybody writes annotations on the index too.
            if let (None, Some(first)) = (&said, index.platforms.values().next()) {
                let content = host.manifest(&repository, first)?;
                said = images::note_of(&content).map_err(unreadable)?;
            }
            index.platforms.into_keys().collect()
        }
        false => platform_of(&repository, &content, host)?.into_iter().collect(),
    };
    let said = said.ok_or_else(|| {
        Error::new("invalid.annotations", "it does not say what it was built on")
            .hint("name its base with `images`, or build it with `build-image`, which notes it")
    })?;
    let note = Note { of: head.digest, name: said.name, digest: said.digest, platforms };
    book.remember_note(&key, note.clone(), host.now());
    Ok(note)
}

/// The platform of a single image, which its configuration has.
fn platform_of(repository: &str, manifest: &[u8], host: &dyn Host) -> Result<Option<String>> {
    let Ok(Manifest { config: Some(config) }) = serde_json::from_slice(manifest) else {
        return Ok(None);
    };
    let bytes = host.blob(repository, &config)?;
    let Ok(file) = serde_json::from_slice::<File>(&bytes) else { return Ok(None) };
    let (variant, version) = (file.variant.as_deref(), file.os_version.as_deref());
    Ok(platform::of_entry(&file.os, &file.architecture, variant, version))
}

/// The manifest and the configuration of an image; none of what is no image, or is gone.
///
/// # Errors
/// What the registry says.
pub fn parts(repository: &str, digest: &str, host: &dyn Host) -> Result<Option<[Vec<u8>; 2]>> {
    let manifest = match host.manifest(repository, digest) {
        Ok(manifest) => manifest,
        Err(error) if error.is("not-found") => return Ok(None),
        Err(error) => return Err(error),
    };
    let Ok(Manifest { config: Some(config) }) = serde_json::from_slice(&manifest) else {
        return Ok(None);
    };
    match host.blob(repository, &config) {
        Ok(file) => Ok(Some([manifest, file])),
        Err(error) if error.is("not-found") => Ok(None),
        Err(error) => Err(error),
    }
}

/// The tag that was the newest before, if it is another one now.
#[must_use]
pub fn old_tag(seen: &Seen, change: &Change) -> Option<String> {
    let old = seen.old.as_ref()?.tag.as_ref()?;
    (change.old.is_some() && seen.sight.tag.as_ref() != Some(old)).then(|| old.clone())
}
