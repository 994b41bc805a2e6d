//! What goes where: from the inputs to a list of sources, each with its targets.

use std::collections::BTreeMap;

use images::Place;
use windlass_plugin::{Error, Result};

use crate::inputs::Inputs;

/// One source and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The source as it was written.
    pub source: String,
    /// Where it goes; never empty.
    pub targets: Vec<Target>,
}

/// One place to write to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The place without tag and digest.
    pub name: String,
    /// The tag; without one it is written under its digest.
    pub tag: Option<String>,
}

impl Target {
    /// The reference; of a target without tag, that of the repository.
    #[must_use]
    pub fn reference(&self) -> String {
        match &self.tag {
            Some(tag) => format!("{}:{tag}", self.name),
            None => self.name.clone(),
        }
    }
}

/// Decides what goes where.
///
/// # Errors
/// `invalid.inputs` if there is no source or no target, if their numbers do not fit, if a target has
/// a digest, or if two sources would be written to the same place.
pub fn pair(inputs: &Inputs) -> Result<Vec<Pair>> {
    let mut pairs = matched(inputs)?;
    if inputs.untagged {
        let targets = inputs.target.iter().chain(&inputs.targets);
        refuse_tags("target", targets, "`untagged` writes no tag")?;
        for target in pairs.iter_mut().flat_map(|pair| &mut pair.targets) {
            target.tag = None;
        }
    }
    refuse_collisions(&pairs)?;
    Ok(pairs)
}

/// Decides what goes where, where sources and targets are repositories, of which tags are chosen.
///
/// # Errors
/// As [`pair`], and if one of them has a tag or a digest.
pub fn pair_repositories(inputs: &Inputs) -> Result<Vec<Pair>> {
    let chosen = "tags are chosen by other inputs";
    refuse_tags("source", inputs.source.iter().chain(&inputs.sources), chosen)?;
    refuse_tags("target", inputs.target.iter().chain(&inputs.targets), chosen)?;
    pair(inputs)
}

impl Pair {
    /// The same for one tag of the source, which the targets get too, if they get any.
    #[must_use]
    pub fn for_tag(&self, tag: &str) -> Self {
        let tagged = |target: &Target| Target {
            name: target.name.clone(),
            tag: target.tag.is_some().then(|| tag.to_owned()),
        };
        Self {
            source: format!("{}:{tag}", self.source),
            targets: self.targets.iter().map(tagged).collect(),
        }
    }
}

fn refuse_tags<'a>(
    what: &str,
    references: impl Iterator<Item = &'a String>,
    why: &str,
) -> Result<()> {
    for reference in references {
        let place = Place::split(reference);
        if place.tag.is_some() || place.digest.is_some() {
            return Err(Error::invalid(format!(
                "the {what} `{reference}` has a tag or a digest, and {why}"
            ))
            .hint(format!("write `{}`", place.name)));
        }
    }
    Ok(())
}

fn matched(inputs: &Inputs) -> Result<Vec<Pair>> {
    let sources = either("source", inputs.source.as_deref(), &inputs.sources)?;
    let targets = either("target", inputs.target.as_deref(), &inputs.targets)?;
    if let Some(prefix) = inputs.targets.iter().find(|target| target.ends_with('/')) {
        return Err(Error::invalid(format!("`{prefix}` in `targets` ends with `/`"))
            .hint("write the repository out, or use `target` for one prefix"));
    }
    match (sources.as_slice(), targets.as_slice()) {
        ([source], targets) => Ok(vec![one(source, targets)?]),
        (sources, [target]) if target.ends_with('/') => {
            sources.iter().map(|source| one(source, &[*target])).collect()
        }
        (sources, targets) if sources.len() == targets.len() => {
            sources.iter().zip(targets).map(|(source, target)| one(source, &[*target])).collect()
        }
        (sources, [target]) => Err(Error::invalid(format!(
            "{} sources would all be written to `{target}`",
            sources.len()
        ))
        .hint(format!("end the target with `/` to put each below it: `{target}/`"))),
        (sources, targets) => Err(Error::invalid(format!(
            "{} sources and {} targets do not pair up",
            sources.len(),
            targets.len()
        ))
        .hint("give one source, as many targets as sources, or one `target` ending with `/`")),
    }
}

/// The one or the several, whichever was given.
fn either<'a>(name: &str, one: Option<&'a str>, several: &'a [String]) -> Result<Vec<&'a str>> {
    let given: Vec<&str> = match (one, several) {
        (Some(one), []) => vec![one],
        (None, several) => several.iter().map(String::as_str).collect(),
        (Some(_), [_, ..]) => {
            return Err(Error::invalid(format!("both `{name}` and `{name}s` are given"))
                .hint(format!("put all of them into `{name}s`")));
        }
    };
    if given.is_empty() {
        return Err(Error::invalid(format!("there is no {name}"))
            .hint(format!("give `{name}`, or a list as `{name}s`")));
    }
    match given.iter().any(|reference| reference.trim().is_empty()) {
        true => Err(Error::invalid(format!("a {name} is empty"))),
        false => Ok(given),
    }
}

fn one(source: &str, targets: &[&str]) -> Result<Pair> {
    let targets = targets.iter().map(|target| place(source, target)).collect::<Result<_>>()?;
    Ok(Pair { source: source.to_owned(), targets })
}

/// Where in `target` the image of `source` goes.
fn place(source: &str, target: &str) -> Result<Target> {
    let from = Place::split(source);
    let to = Place::split(target);
    if to.digest.is_some() {
        return Err(Error::invalid(format!("the target `{target}` has a digest"))
            .hint("leave it away: the digest follows from the source"));
    }
    let name = match (target.ends_with('/'), from.last_word()) {
        (false, _) => to.name.to_owned(),
        (true, "" | "." | "..") => {
            return Err(Error::invalid(format!("`{source}` has no name to put below `{target}`"))
                .hint("write the target's repository out"));
        }
        (true, word) => format!("{target}{word}"),
    };
    let tag = match (to.tag, from.tag, from.digest) {
        (Some(tag), _, _) | (None, Some(tag), _) => Some(tag.to_owned()),
        (None, None, Some(_)) => None,
        (None, None, None) => Some("latest".to_owned()),
    };
    Ok(Target { name, tag })
}

fn refuse_collisions(pairs: &[Pair]) -> Result<()> {
    let mut taken: BTreeMap<String, &str> = BTreeMap::new();
    for Pair { source, targets } in pairs {
        // Without a tag each is found by its digest, so that several fit into one repository.
        for target in targets.iter().filter(|target| target.tag.is_some()) {
            let reference = target.reference();
            if let Some(other) = taken.get(&reference) {
                return Err(Error::invalid(format!(
                    "`{other}` and `{source}` would both be written to `{reference}`"
                ))
                .hint("give each source a target of its own in `targets`"));
            }
            taken.insert(reference, source);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
