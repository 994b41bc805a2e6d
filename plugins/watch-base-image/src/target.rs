//! What is watched: from the inputs to a list of images, each once.

use std::collections::BTreeMap;

use images::{Choice, Place, Question, Sight, Terms, platform, wanted_by};
use windlass_plugin::{Error, OneOrMany, Result};

use crate::book::Book;
use crate::host::Host;
use crate::inputs::{Base, FirstSeen, Inputs, Stages};
use crate::look;

/// The word for every platform.
const ALL: &str = "all";

/// The word for the platform of this machine.
const SYSTEM: &str = "system";

/// An image that is watched.
#[derive(Debug, Clone)]
pub struct Target {
    /// The repository in full.
    pub repository: String,
    /// The tag; the digest of what is pinned. Where tags are followed, what the reference had.
    pub selector: String,
    /// The platforms that count; all if none is named.
    pub wanted: Vec<String>,
    /// What it is held against, in place of what is remembered.
    pub basis: Option<Sight>,
    /// Which tag is followed.
    pub follows: Option<Choice>,
    /// Under what it is remembered.
    pub key: String,
}

impl Target {
    /// What people know it by: the repository where tags are followed, else with the tag.
    #[must_use]
    pub fn name(&self) -> String {
        match self.follows {
            Some(_) => self.repository.clone(),
            None => join(&self.repository, &self.selector),
        }
    }

    /// The reference of `sight`.
    #[must_use]
    pub fn reference(&self, sight: &Sight) -> String {
        join(&self.repository, self.tag(sight).unwrap_or(&self.selector))
    }

    /// The tag of `sight`.
    #[must_use]
    pub fn tag<'a>(&'a self, sight: &'a Sight) -> Option<&'a str> {
        match self.follows {
            Some(_) => sight.tag.as_deref(),
            None => (!self.selector.contains(':')).then_some(self.selector.as_str()),
        }
    }
}

/// `REPOSITORY:TAG` or `REPOSITORY@DIGEST`.
#[must_use]
pub fn join(repository: &str, selector: &str) -> String {
    let mark = if selector.contains(':') { '@' } else { ':' };
    format!("{repository}{mark}{selector}")
}

/// What could not be found out, and what people know it by.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The reference.
    pub image: String,
    /// Why.
    pub error: Error,
}

/// All that is watched, and what of it cannot be.
#[derive(Debug, Default)]
pub struct Targets {
    /// What is.
    pub found: Vec<Target>,
    /// What cannot be.
    pub failures: Vec<Failure>,
    /// Where in `found` each key is.
    places: BTreeMap<String, usize>,
}

/// What the inputs say of every image.
///
/// # Errors
/// `invalid.inputs`.
pub fn terms(inputs: &Inputs, host: &dyn Host) -> Result<Terms> {
    let settle = match inputs.settle.as_deref() {
        None => 0,
        Some(text) => {
            let settle = humantime::parse_duration(text).map_err(|error| {
                Error::invalid(format!("`settle` is no duration: {error}"))
                    .hint("write it like `settle = \"10m\"`")
            })?;
            u64::try_from(settle.as_millis()).unwrap_or(u64::MAX)
        }
    };
    Ok(Terms {
        wanted: platforms(&inputs.platforms, host)?,
        settle,
        fires: inputs.first_seen == FirstSeen::Fire,
    })
}

fn platforms(said: &OneOrMany, host: &dyn Host) -> Result<Vec<String>> {
    let list = said.as_slice();
    if list.iter().any(|platform| platform == ALL) {
        return match list {
            [_] => Ok(Vec::new()),
            _ => Err(Error::invalid("`platforms` says `all` and names some")
                .hint("write `platforms = \"all\"`, or name some")),
        };
    }
    let usual = |text: &String| {
        let text = if text == SYSTEM { host.machine() } else { text.clone() };
        platform::usual(&text).ok_or_else(|| {
            Error::invalid(format!("`{text}` is no platform"))
                .hint("write it like `platforms = [\"linux/amd64\"]`")
        })
    };
    list.iter().map(usual).collect()
}

/// Finds what is watched.
///
/// # Errors
/// `invalid.inputs` if the inputs make no sense; `invalid.dockerfile`; what the host says of the
/// file. What a registry refuses is among the failures.
pub fn targets(inputs: &Inputs, terms: &Terms, book: &Book, host: &dyn Host) -> Result<Targets> {
    let follows = follows(inputs)?;
    let mut targets = Targets::default();
    for image in &inputs.images {
        targets.add_named(image, &terms.wanted, follows.as_ref(), inputs, host);
    }
    for (image, wanted) in of_dockerfile(inputs, &terms.wanted, host)? {
        if Place::split(&image).digest.is_some() {
            host.say(&format!("`{image}` is named with a digest: it cannot change"));
            continue;
        }
        targets.add_named(&image, &wanted, None, inputs, host);
    }
    if let Some(image) = &inputs.annotations_of {
        match look::note_of(image, book, host) {
            Ok(note) => {
                let wanted = match terms.wanted.is_empty() {
                    true => &note.platforms,
                    false => &terms.wanted,
                };
                targets.add_based(&note.name, note.digest.map(Sight::single), wanted, host);
            }
            Err(error) => targets.failures.push(Failure { image: image.clone(), error }),
        }
    }
    for (name, sight) in of_build(inputs, &terms.wanted) {
        let wanted: Vec<String> = sight.platforms.keys().cloned().collect();
        targets.add_based(&name, Some(sight), &wanted, host);
    }
    if targets.found.is_empty() && targets.failures.is_empty() && !says_anything(inputs) {
        return Err(Error::invalid("nothing is watched")
            .hint("name `images`, a Dockerfile with `file`, `annotations-of` or `bases-of`"));
    }
    Ok(targets)
}

/// An image may be built on nothing, and then nothing is wrong.
fn says_anything(inputs: &Inputs) -> bool {
    reads_dockerfile(inputs) || inputs.bases_of.is_some() || inputs.annotations_of.is_some()
}

fn follows(inputs: &Inputs) -> Result<Option<Choice>> {
    let (regex, range) = (inputs.tag_regex.as_deref(), inputs.semver.as_deref());
    if regex.is_none() && range.is_none() {
        return Ok(None);
    }
    if inputs.images.is_empty() {
        return Err(Error::invalid("`semver` and `tag-regex` choose among the tags of `images`")
            .hint("name the repositories in `images`"));
    }
    Choice::new(regex, range).map(Some).map_err(|wrong| {
        Error::invalid(wrong)
            .hint(r#"write it like `semver = ">=1.2, <2"` or `tag-regex = '(.*)-alpine'`"#)
    })
}

fn reads_dockerfile(inputs: &Inputs) -> bool {
    inputs.context.is_some() || inputs.file.is_some() || inputs.dockerfile.is_some()
}

/// What a Dockerfile reads, with the platforms for which it does.
fn of_dockerfile(
    inputs: &Inputs,
    wanted: &[String],
    host: &dyn Host,
) -> Result<Vec<(String, Vec<String>)>> {
    let file = inputs.file.as_deref().unwrap_or("Dockerfile");
    let (name, text) = match (&inputs.dockerfile, reads_dockerfile(inputs)) {
        (_, false) => return Ok(Vec::new()),
        (Some(text), _) if !text.trim().contains(char::is_whitespace) => {
            return Err(Error::invalid("`dockerfile` is the text of a Dockerfile")
                .hint(format!("name the file with `file = \"{}\"`", text.trim())));
        }
        (Some(text), _) => ("dockerfile", text.clone()),
        (None, _) => {
            let context = inputs.context.as_deref().unwrap_or(".");
            if context.contains("://") || context.starts_with("file:") {
                return Err(Error::invalid(format!("`{context}` is no folder of the workspace"))
                    .hint("check it out, or watch what was built with `bases-of`"));
            }
            (file, host.read(&format!("{}/{file}", context.trim_end_matches('/')))?)
        }
    };
    let machine = host.machine();
    let question = Question {
        name,
        text: &text,
        args: inputs.args.clone().into_iter().collect(),
        target: inputs.target.clone(),
        platforms: wanted.to_vec(),
        machine: &machine,
        runtime_only: inputs.stages == Stages::Runtime,
    };
    let found = wanted_by(&question).map_err(|why| {
        Error::new("invalid.dockerfile", format!("`{name}` cannot be read\n{why}"))
    })?;
    Ok(found.into_iter().map(|found| (found.image, found.platforms)).collect())
}

/// What a build has read, by name and digest: a sight for each.
fn of_build(inputs: &Inputs, wanted: &[String]) -> Vec<(String, Sight)> {
    let is_meant = |base: &&Base| {
        (base.runtime || inputs.stages == Stages::All)
            && (wanted.is_empty()
                || wanted.iter().any(|want| platform::satisfies(&base.platform, want)))
    };
    let mut found: Vec<(String, Sight)> = Vec::new();
    for base in inputs.bases_of.iter().flatten().filter(is_meant) {
        let platform = platform::usual(&base.platform).unwrap_or_else(|| base.platform.clone());
        let is_same = |(name, sight): &&mut (String, Sight)| {
            *name == base.name && sight.digest == base.digest
        };
        match found.iter_mut().find(is_same) {
            Some((_, sight)) => {
                sight.platforms.insert(platform, base.manifest.clone());
            }
            None => {
                let mut sight = Sight::single(&base.digest);
                sight.platforms.insert(platform, base.manifest.clone());
                found.push((base.name.clone(), sight));
            }
        }
    }
    found
}

impl Targets {
    /// An image that is named.
    fn add_named(
        &mut self,
        image: &str,
        wanted: &[String],
        follows: Option<&Choice>,
        inputs: &Inputs,
        host: &dyn Host,
    ) {
        let place = Place::split(image);
        let basis = match (place.digest, place.tag, follows) {
            (Some(digest), Some(_), None) => Some(Sight::single(digest)),
            (Some(_), None, None) => {
                host.warn(&format!("`{image}` is named with a digest alone: it cannot change"));
                None
            }
            _ => None,
        };
        let tagged = match (&basis, image.rsplit_once('@')) {
            (Some(_), Some((tagged, _))) => tagged,
            _ => image,
        };
        match host.open(tagged) {
            Ok((repository, selector)) => {
                let rule = follows.map(|_| {
                    let said = |key, text: &Option<String>| {
                        text.as_ref().map(|text| format!(" {key}={text}")).unwrap_or_default()
                    };
                    said("semver", &inputs.semver) + &said("tag-regex", &inputs.tag_regex)
                });
                let key = match (rule, &basis) {
                    (Some(rule), _) => format!("{repository}{rule}"),
                    (None, Some(basis)) => {
                        format!("{}@{}", join(&repository, &selector), basis.digest)
                    }
                    (None, None) => join(&repository, &selector),
                };
                let (wanted, follows) = (wanted.to_vec(), follows.cloned());
                self.add(Target { repository, selector, wanted, basis, follows, key });
            }
            Err(error) => self.failures.push(Failure { image: image.to_owned(), error }),
        }
    }

    /// An image that something was built on; without a basis it is held against what is remembered.
    fn add_based(&mut self, name: &str, basis: Option<Sight>, wanted: &[String], host: &dyn Host) {
        match host.open(name) {
            Ok((repository, selector)) => {
                let name = join(&repository, &selector);
                let key = match &basis {
                    Some(basis) => format!("{name}@{}", basis.digest),
                    None => name,
                };
                let (wanted, follows) = (wanted.to_vec(), None);
                self.add(Target { repository, selector, wanted, basis, follows, key });
            }
            Err(error) => self.failures.push(Failure { image: name.to_owned(), error }),
        }
    }

    /// What is named twice is looked at once, for the platforms of both.
    fn add(&mut self, target: Target) {
        let place = self.places.get(&target.key).copied();
        let Some(known) = place.and_then(|place| self.found.get_mut(place)) else {
            self.places.insert(target.key.clone(), self.found.len());
            return self.found.push(target);
        };
        if known.wanted.is_empty() || target.wanted.is_empty() {
            known.wanted.clear();
        } else {
            known.wanted.extend(target.wanted);
            known.wanted.sort();
            known.wanted.dedup();
        }
        if let (Some(known), Some(basis)) = (&mut known.basis, target.basis) {
            known.platforms.extend(basis.platforms);
        }
    }
}
