//! Does what was decided, and says what became of it.

use std::collections::BTreeMap;
use std::time::Duration;

use windlass_plugin::oci::{Copied, Descriptor, Forecast};
use windlass_plugin::{Error, Outcome, Result};

use crate::inputs::Inputs;
use crate::outputs::{Image, Outputs, Target as Written};
use crate::pair::{Pair, pair, pair_repositories};
use crate::report;
use crate::select::Selection;
use crate::terms::Terms;

/// Images that outputs tell of one by one: a few hundred KiB of the 1 MiB that a step may give.
const MOST_LISTED: usize = 500;

/// What the logic needs of the host.
pub trait Host {
    /// All tags of a repository.
    ///
    /// # Errors
    /// Those of the host.
    fn tags(&self, repository: &str) -> Result<Vec<String>>;

    /// Copies images, several at a time; an answer for each, in their order. Without `keep_going`
    /// those that had not begun when one failed are `cancelled`.
    fn copy(&self, orders: &[Order], terms: &Terms, keep_going: bool) -> Vec<Result<Copied>>;

    /// What [`Host::copy`] would do.
    fn forecast(&self, orders: &[Order], terms: &Terms) -> Vec<Result<Forecast>>;

    /// What registries were asked until now, by HTTP method.
    fn requests(&self) -> BTreeMap<String, u64>;

    /// The time since the call began.
    fn elapsed(&self) -> Duration;

    /// Tells the person something.
    fn say(&self, text: &str);

    /// Tells the person what went wrong, where it goes on.
    fn complain(&self, text: &str);
}

/// A copy to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The reference of the image.
    pub source: String,
    /// The repository to write to, without tag.
    pub target: String,
    /// The tag to write; without one it is written under its digest.
    pub tag: Option<String>,
}

impl Order {
    /// Where to; of a target without tag, the repository.
    #[must_use]
    pub fn reference(&self) -> String {
        match &self.tag {
            Some(tag) => format!("{}:{tag}", self.target),
            None => self.target.clone(),
        }
    }

    /// What is being done, to be put before an error.
    #[must_use]
    pub fn during(&self) -> String {
        format!("copy `{}` to `{}`", self.source, self.reference())
    }
}

/// Copies every source to its targets; in a dry run only looks what would change.
///
/// # Errors
/// `invalid.inputs` if the inputs make no sense together, before anything is done; else the host's
/// error with source and target put before it, or one for several. What was copied until then stays.
pub fn import(inputs: &Inputs, is_dry_run: bool, host: &dyn Host) -> Result<Outcome<Outputs>> {
    let terms = Terms::new(inputs)?;
    let orders = orders(inputs, host)?;
    let mut tally = Tally::default();
    if is_dry_run {
        for (order, forecast) in orders.iter().zip(host.forecast(&orders, &terms)) {
            let forecast = forecast.and_then(|found| refuse_conflict(found, &terms));
            let told = forecast.inspect(|found| host.say(&report::forecast(order, found)));
            tally.add(order, told.map(foretold));
        }
    } else {
        let answers = host.copy(&orders, &terms, inputs.keep_going);
        for (order, copied) in orders.iter().zip(answers) {
            tally.add(order, copied.inspect(|copied| host.say(&report::copied(order, copied))));
        }
    }
    // In a dry run nothing is lost by going on, and all that is wrong is of interest.
    tally.refuse(orders.len(), inputs.keep_going || is_dry_run, host)?;
    Ok(tally.outcome(orders.len(), is_dry_run, host))
}

/// The copies to make, as many as there are targets.
pub(crate) fn orders(inputs: &Inputs, host: &dyn Host) -> Result<Vec<Order>> {
    let pairs = match Selection::new(inputs)? {
        None => pair(inputs)?,
        Some(selection) => {
            let mut pairs = Vec::new();
            for repository in pair_repositories(inputs)? {
                let name = &repository.source;
                let present = match selection.needs_list() {
                    true => host.tags(name).map_err(|error| match error.hint_text() {
                        None if error.is("not-found") => {
                            error.hint(format!("check that the repository `{name}` exists"))
                        }
                        _ => error,
                    })?,
                    false => Vec::new(),
                };
                let chosen = selection.choose(name, &present)?;
                if selection.needs_list() {
                    host.say(&format!("{} of {} tags of `{name}`", chosen.len(), present.len()));
                }
                pairs.extend(chosen.iter().map(|tag| repository.for_tag(tag)));
            }
            pairs
        }
    };
    if inputs.expect_digest.is_some() && pairs.len() > 1 {
        return Err(Error::invalid(
            "`expect-digest` is the digest of one image, and there are several",
        )
        .hint("write digests behind the sources: `HOST/REPOSITORY:TAG@sha256:…`"));
    }
    let order = |pair: &Pair| {
        let source = pair.source.clone();
        let orders = pair.targets.iter().map(move |target| Order {
            source: source.clone(),
            target: target.name.clone(),
            tag: target.tag.clone(),
        });
        orders.collect::<Vec<_>>()
    };
    Ok(pairs.iter().flat_map(order).collect())
}

/// A tag that would have to be moved is what a copy without `force` ends with.
fn refuse_conflict(forecast: Forecast, terms: &Terms) -> Result<Forecast> {
    let taken = forecast.moves.iter().find_map(|moved| Some((&moved.tag, moved.from.as_ref()?)));
    match taken {
        Some((tag, from)) if !terms.force => Err(Error::new(
            "oci.conflict",
            format!("the tag `{tag}` points at {from}, not at {}", forecast.descriptor.digest),
        )),
        Some(_) | None => Ok(forecast),
    }
}

/// What is told of a copy, of one that would be made.
fn foretold(forecast: Forecast) -> Copied {
    Copied {
        descriptor: forecast.descriptor,
        source_digest: forecast.source_digest,
        is_changed: forecast.is_changed,
        platforms: forecast.platforms,
        sent: forecast.send,
        sent_bytes: forecast.send_bytes,
        mounted: forecast.mount,
        mounted_bytes: forecast.mount_bytes,
        skipped: forecast.skip,
        skipped_bytes: forecast.skip_bytes,
        referrers: forecast.referrers,
    }
}

/// Text that is there: of what Azure imported nothing may be known here.
fn known(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn add_missing(to: &mut Vec<String>, more: &[String]) {
    for text in more {
        if !to.contains(text) {
            to.push(text.clone());
        }
    }
}

/// Adds what to try where the host did not know.
fn advise(error: Error, order: &Order) -> Error {
    if error.hint_text().is_some() {
        return error;
    }
    if error.is("conflict") {
        return error.hint("set `force = true` to move the tag");
    }
    if error.is("not-found") {
        return error.hint(format!("check that `{}` exists", order.source));
    }
    error
}

/// What became of the orders so far.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) outputs: Outputs,
    /// The source of the last image, of which further targets may follow.
    source: Option<String>,
    changed: usize,
    images: usize,
    failures: Vec<(Order, Error)>,
}

impl Tally {
    /// Adds what became of an order, or would become of it.
    pub(crate) fn add(&mut self, order: &Order, copied: Result<Copied>) {
        let copied = match copied {
            Ok(copied) => copied,
            Err(error) => return self.failures.push((order.clone(), advise(error, order))),
        };
        let outputs = &mut self.outputs;
        outputs.bytes += copied.sent_bytes;
        outputs.mounted_bytes += copied.mounted_bytes;
        outputs.skipped_bytes += copied.skipped_bytes;
        outputs.blobs.sent += copied.sent;
        outputs.blobs.mounted += copied.mounted;
        outputs.blobs.skipped += copied.skipped;
        outputs.referrers += copied.referrers;
        outputs.changed |= copied.is_changed;
        add_missing(&mut outputs.platforms, &copied.platforms);
        self.changed += usize::from(copied.is_changed);
        let Descriptor { digest, media_type, .. } = &copied.descriptor;
        let (digest, media_type) = (known(digest), known(media_type));
        let is_next = self.source.as_ref() != Some(&order.source);
        if is_next {
            self.images += 1;
            self.source = Some(order.source.clone());
            let is_only = self.images == 1;
            self.outputs.digest = digest.filter(|_| is_only);
            self.outputs.source_digest = known(&copied.source_digest).filter(|_| is_only);
            self.outputs.media_type = media_type.filter(|_| is_only);
        }
        if self.images <= MOST_LISTED {
            self.list(order, &copied, is_next);
        }
    }

    /// Tells of one target of one image.
    fn list(&mut self, order: &Order, copied: &Copied, is_next: bool) {
        let Descriptor { digest, media_type, .. } = &copied.descriptor;
        let (digest, media_type) = (known(digest), known(media_type));
        let reference = match (&order.tag, &digest) {
            (None, Some(digest)) => format!("{}@{digest}", order.target),
            (Some(_), _) | (None, None) => order.reference(),
        };
        let changed = copied.is_changed;
        let written = Written { reference, digest: digest.clone(), changed };
        self.outputs.targets.push(written.clone());
        let images = &mut self.outputs.images;
        if is_next {
            images.push(Image {
                source: order.source.clone(),
                digest,
                source_digest: known(&copied.source_digest),
                media_type,
                ..Image::default()
            });
        }
        let Some(image) = images.last_mut() else { return };
        image.changed |= copied.is_changed;
        image.targets.push(written);
        add_missing(&mut image.platforms, &copied.platforms);
        image.bytes += copied.sent_bytes;
        image.mounted_bytes += copied.mounted_bytes;
        image.skipped_bytes += copied.skipped_bytes;
        image.referrers += copied.referrers;
    }

    /// The error of what failed, if anything did.
    pub(crate) fn refuse(&mut self, all: usize, went_on: bool, host: &dyn Host) -> Result<()> {
        // Those that did not begin because of another say nothing of their own.
        self.failures.retain(|(_, error)| !error.is("cancelled"));
        let Some((order, error)) = self.failures.first() else { return Ok(()) };
        if all == 1 || !went_on {
            return Err(error.clone().during(order.during()));
        }
        for (order, error) in &self.failures {
            host.complain(&report::failed(order, error));
        }
        let code = error.code();
        let is_same = self.failures.iter().all(|(_, other)| other.code() == code);
        let failed = self.failures.len();
        let message = format!("{failed} of {} could not be copied", report::count(all));
        let whole = Error::new(if is_same { code } else { "failed.images" }, message)
            .hint("each has a line of its own that says why");
        match self.failures.iter().all(|(_, error)| error.is_retryable()) {
            true => Err(whole.retryable()),
            false => Err(whole),
        }
    }

    pub(crate) fn outcome(self, all: usize, is_dry_run: bool, host: &dyn Host) -> Outcome<Outputs> {
        let Self { mut outputs, changed, .. } = self;
        outputs.requests = host.requests();
        outputs.duration_ms = u64::try_from(host.elapsed().as_millis()).unwrap_or(u64::MAX);
        let summary = report::summary(&outputs, all, changed, is_dry_run);
        match outputs.changed {
            true => Outcome::changed(outputs),
            false => Outcome::unchanged(outputs),
        }
        .summary(summary)
    }
}

#[cfg(test)]
mod tests;
