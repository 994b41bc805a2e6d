//! Does what was decided, and says what became of it.

use windlass_plugin::oci::{Copied, Descriptor};
use windlass_plugin::{Error, Outcome, Result};

use crate::inputs::Inputs;
use crate::outputs::{Image, Outputs, Target as Written};
use crate::pair::{Pair, Target, pair};

/// What the logic needs of the host.
pub trait Host {
    /// What `reference` points at; none where there is nothing.
    ///
    /// # Errors
    /// Those of the host.
    fn resolve(&self, reference: &str) -> Result<Option<Descriptor>>;

    /// Copies an image.
    ///
    /// # Errors
    /// Those of the host.
    fn copy(&self, order: &Order<'_>) -> Result<Copied>;

    /// Tells the person something.
    fn say(&self, text: &str);
}

/// A copy to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order<'a> {
    /// The reference of the image.
    pub source: &'a str,
    /// The repository to write to, without tag.
    pub target: &'a str,
    /// The tag to write; without one it is written under its digest.
    pub tag: Option<&'a str>,
    /// The platforms to keep; all if there are none.
    pub platforms: &'a [String],
    /// Whether a tag that points elsewhere is overwritten.
    pub force: bool,
}

/// Copies every source to its targets; in a dry run only looks what would change.
///
/// # Errors
/// `invalid.inputs` if sources and targets do not pair up, before anything is done; else the host's
/// error with source and target put before it. What was copied until then stays.
pub fn import(inputs: &Inputs, is_dry_run: bool, host: &dyn Host) -> Result<Outcome<Outputs>> {
    let mut outputs = Outputs::default();
    for pair in pair(inputs)? {
        let mut image: Option<Image> = None;
        for target in &pair.targets {
            let during = format!("copy `{}` to `{}`", pair.source, target.reference());
            let copied = if is_dry_run {
                look(inputs, &pair, target, host)
            } else {
                copy(inputs, &pair, target, host)
            };
            let copied = copied.map_err(|error| advise(error, &pair).during(during))?;
            host.say(&report(&pair, target, &copied, is_dry_run));
            let written = outputs.count(target, &copied);
            add(&mut image, &pair, &copied, written);
        }
        outputs.images.extend(image);
    }
    outputs.summarize();
    let summary = summary(&outputs, is_dry_run);
    let outcome = match outputs.changed {
        true => Outcome::changed(outputs),
        false => Outcome::unchanged(outputs),
    };
    Ok(outcome.summary(summary))
}

fn copy(inputs: &Inputs, pair: &Pair, target: &Target, host: &dyn Host) -> Result<Copied> {
    host.copy(&Order {
        source: &pair.source,
        target: &target.name,
        tag: target.tag.as_deref(),
        platforms: &inputs.platforms,
        force: inputs.force,
    })
}

/// What a copy would do, as far as digests tell. A choice of platforms can make a digest of its own,
/// which nobody knows before it is done: it then counts as a change.
fn look(inputs: &Inputs, pair: &Pair, target: &Target, host: &dyn Host) -> Result<Copied> {
    let not_found = || Error::new("oci.not-found", "there is no such image");
    let descriptor = host.resolve(&pair.source)?.ok_or_else(not_found)?;
    let place = match &target.tag {
        Some(_) => target.reference(),
        None => format!("{}@{}", target.name, descriptor.digest),
    };
    let present = host.resolve(&place)?;
    let is_changed = present.is_none_or(|present| present.digest != descriptor.digest);
    Ok(Copied {
        descriptor,
        is_changed,
        platforms: inputs.platforms.clone(),
        sent: 0,
        sent_bytes: 0,
        mounted: 0,
        skipped: 0,
    })
}

/// Adds what to try where the host did not know.
fn advise(error: Error, pair: &Pair) -> Error {
    if error.hint_text().is_some() {
        return error;
    }
    if error.is("conflict") {
        return error.hint("set `force = true` to move the tag");
    }
    if error.is("not-found") {
        return error.hint(format!("check that `{}` exists", pair.source));
    }
    error
}

impl Outputs {
    fn count(&mut self, target: &Target, copied: &Copied) -> Written {
        self.bytes += copied.sent_bytes;
        self.blobs.sent += copied.sent;
        self.blobs.mounted += copied.mounted;
        self.blobs.skipped += copied.skipped;
        let digest = copied.descriptor.digest.clone();
        let reference = match &target.tag {
            Some(_) => target.reference(),
            None => format!("{}@{digest}", target.name),
        };
        Written { reference, digest, changed: copied.is_changed }
    }

    /// Fills in what is said of all images together.
    fn summarize(&mut self) {
        if let [image] = self.images.as_slice() {
            self.digest = Some(image.digest.clone());
            self.media_type = Some(image.media_type.clone());
        }
        self.changed = self.images.iter().any(|image| image.changed);
        for image in &self.images {
            self.targets.extend(image.targets.iter().cloned());
            for platform in &image.platforms {
                if !self.platforms.contains(platform) {
                    self.platforms.push(platform.clone());
                }
            }
        }
    }
}

fn add(image: &mut Option<Image>, pair: &Pair, copied: &Copied, written: Written) {
    let image = image.get_or_insert_with(|| Image {
        source: pair.source.clone(),
        digest: copied.descriptor.digest.clone(),
        media_type: copied.descriptor.media_type.clone(),
        changed: false,
        targets: Vec::new(),
        platforms: copied.platforms.clone(),
    });
    image.changed |= written.changed;
    image.targets.push(written);
}

/// What became of one target.
fn report(pair: &Pair, target: &Target, copied: &Copied, is_dry_run: bool) -> String {
    let (source, target, digest) = (&pair.source, target.reference(), &copied.descriptor.digest);
    match (copied.is_changed, is_dry_run) {
        (false, _) => format!("`{target}` is up to date with `{source}` ({digest})"),
        (true, true) => format!("would copy `{source}` to `{target}` ({digest})"),
        (true, false) => format!(
            "copied `{source}` to `{target}` ({digest}): {} sent ({}), {} mounted, {} there already",
            copied.sent,
            size(copied.sent_bytes),
            copied.mounted,
            copied.skipped,
        ),
    }
}

/// What became of all of them, in one line.
fn summary(outputs: &Outputs, is_dry_run: bool) -> String {
    let all = outputs.targets.len();
    let changed = outputs.targets.iter().filter(|target| target.changed).count();
    match (changed, is_dry_run) {
        (0, _) => "up to date".to_owned(),
        (changed, true) => format!("{changed} of {} would be copied", count(all)),
        (changed, false) => {
            format!("copied {changed} of {}, {} sent", count(all), size(outputs.bytes))
        }
    }
}

fn count(targets: usize) -> String {
    if targets == 1 { "1 image".to_owned() } else { format!("{targets} images") }
}

/// Bytes for a person: three digits or so, and a binary unit.
fn size(bytes: u64) -> String {
    /// From one unit to the next.
    const STEP: u64 = 1024;
    let mut value = bytes;
    let mut tenths = 0;
    let mut units = ["KiB", "MiB", "GiB", "TiB"].into_iter();
    let mut unit = "B";
    while value >= STEP
        && let Some(next) = units.next()
    {
        tenths = value % STEP * 10 / STEP;
        value /= STEP;
        unit = next;
    }
    match tenths {
        0 => format!("{value} {unit}"),
        tenths => format!("{value}.{tenths} {unit}"),
    }
}

#[cfg(test)]
mod tests;
