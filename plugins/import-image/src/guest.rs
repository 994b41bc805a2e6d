//! The component: the host's OCI interface behind the trait that the logic asks for.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use arm::gate::Gate;
use images::Place;
use windlass_plugin::oci::{Access, Copied, Copy, CopyBatch, Forecast, Repository};
use windlass_plugin::secrets::{self, Secret};
use windlass_plugin::{Context, Error, Outcome, Request, Result, Step, log};

use crate::import::{Host, Order};
use crate::inputs::{self, Inputs};
use crate::mode;
use crate::outputs::Outputs;
use crate::server::Azure;
use crate::server::look::Seen;
use crate::terms::{Terms, Wanted};

/// Tags that are asked for at once; the most that the host gives.
const PAGE: u32 = 1000;

/// The most tags of a repository: a megabyte or two of names.
const MOST_TAGS: usize = 100_000;

/// Copies in one batch: each has a handle, of which a step may have 10,000.
const BATCH: usize = 1000;

/// How long Azure may import where the step has no timeout.
const USUAL_LIMIT: Duration = Duration::from_secs(30 * 60);

/// What is left of the step's time to say that Azure took too long.
const MARGIN: Duration = Duration::from_secs(5);

/// What is meant where no tag is written.
const LATEST: &str = "latest";

/// The plugin.
pub struct ImportImage;

impl Step for ImportImage {
    const NAME: &'static str = "import-image";
    const SUMMARY: &'static str = "copies images from one registry or layout to another";
    type Inputs = Inputs;
    type Outputs = Outputs;

    fn requests() -> Vec<Request> {
        inputs::requests()
    }

    fn run(inputs: Inputs, context: &Context) -> Result<Outcome<Outputs>> {
        let imports = Imports::new();
        let limit = context.deadline.map_or(USUAL_LIMIT, |left| left.saturating_sub(MARGIN));
        mode::run(&inputs, context.dry_run, limit, &imports, &imports)
    }
}

windlass_plugin::step!(ImportImage);

struct Imports {
    started: Instant,
    gate: Gate,
    /// Each repository is opened once for reading and once for writing; their handles know what
    /// they cost.
    open: RefCell<BTreeMap<(String, bool), Rc<Repository>>>,
}

impl Imports {
    fn new() -> Self {
        Self { started: Instant::now(), gate: Gate::default(), open: RefCell::default() }
    }

    fn open(&self, reference: &str, writes: bool) -> Result<Rc<Repository>> {
        let key = (reference.to_owned(), writes);
        if let Some(repository) = self.open.borrow().get(&key) {
            return Ok(Rc::clone(repository));
        }
        let access = if writes { Access::PULL | Access::PUSH } else { Access::PULL };
        let repository = Rc::new(Repository::open(reference, access)?);
        self.open.borrow_mut().insert(key, Rc::clone(&repository));
        Ok(repository)
    }

    fn order(&self, order: &Order, terms: &Terms) -> Result<Copy> {
        let place = Place::split(&order.source);
        let (source, selector) = match place.digest.or(place.tag) {
            // The digest is what counts, but that the tag is one is checked by opening it as it is; and
            // of a place that is opened without a tag, `latest` can be another one.
            Some(selector) if place.digest.is_none() && selector != LATEST => {
                (self.open(place.name, false)?, selector.to_owned())
            }
            Some(_) | None => {
                let source = self.open(&order.source, false)?;
                let selector = source.selector();
                (source, selector)
            }
        };
        let target = self.open(&order.target, true)?;
        let mut copy = Copy::new(&source, &selector, &target);
        if let Some(tag) = &order.tag {
            copy = copy.tag(tag);
        }
        if !terms.platforms.is_empty() {
            copy = copy.platforms(&terms.platforms);
        }
        if terms.is_sparse {
            copy = copy.sparse();
        }
        if let Some(digest) = &terms.expect {
            copy = copy.expect(digest);
        }
        copy = match &terms.referrers {
            Wanted::All => copy.referrers(None),
            Wanted::Types(types) => copy.referrers(Some(types)),
            Wanted::Nothing => copy,
        };
        if terms.rechecks {
            copy = copy.recheck_referrers();
        }
        if terms.foreign_layers {
            copy = copy.include_foreign_layers();
        }
        if let Some(repository) = &terms.mount_from {
            copy = copy.mount_from(repository);
        }
        if terms.force {
            copy = copy.force();
        }
        Ok(copy)
    }

    /// Gives `orders` to the host batch by batch; those that cannot even be said keep their error.
    fn batches<T>(
        &self,
        orders: &[Order],
        terms: &Terms,
        keep_going: bool,
        work: impl Fn(CopyBatch) -> Vec<Result<T>>,
    ) -> Vec<Result<T>> {
        let mut answers: Vec<Result<T>> = Vec::new();
        for orders in orders.chunks(BATCH) {
            let mut copies = Vec::new();
            let mut slots: Vec<Option<Error>> = Vec::new();
            for order in orders {
                match self.order(order, terms) {
                    Ok(copy) => {
                        copies.push(copy);
                        slots.push(None);
                    }
                    Err(error) => slots.push(Some(error)),
                }
            }
            // What is refused before anything begins stops all, unless the others are wanted anyway.
            let is_refused = slots.iter().any(Option::is_some) && !keep_going;
            let mut done = match is_refused {
                true => Vec::new(),
                false => work(CopyBatch::new(copies)),
            }
            .into_iter();
            answers.extend(slots.into_iter().map(|slot| match slot {
                Some(error) => Err(error),
                None => done.next().unwrap_or_else(|| Err(not_begun())),
            }));
            if !keep_going && answers.iter().any(Result::is_err) {
                break;
            }
        }
        answers.resize_with(orders.len(), || Err(not_begun()));
        answers
    }
}

fn not_begun() -> Error {
    Error::new("cancelled.oci", "the copy was not begun, since another one failed")
}

impl Host for Imports {
    fn tags(&self, repository: &str) -> Result<Vec<String>> {
        let source = self.open(repository, false)?;
        let mut tags: Vec<String> = Vec::new();
        loop {
            let page = source.tags(tags.last().map(String::as_str), PAGE)?;
            // The host fills a page from as many answers as it takes.
            let is_last = page.len() < PAGE as usize;
            tags.extend(page);
            if tags.len() > MOST_TAGS {
                return Err(Error::failed(format!("there are more than {MOST_TAGS} tags"))
                    .hint("name the tags: `tags = [\"1.2\"]`"));
            }
            if is_last {
                return Ok(tags);
            }
        }
    }

    fn copy(&self, orders: &[Order], terms: &Terms, keep_going: bool) -> Vec<Result<Copied>> {
        self.batches(orders, terms, keep_going, |batch| match keep_going {
            true => batch.keep_going().run(),
            false => batch.run(),
        })
    }

    fn forecast(&self, orders: &[Order], terms: &Terms) -> Vec<Result<Forecast>> {
        self.batches(orders, terms, true, |batch| batch.forecast())
    }

    fn requests(&self) -> BTreeMap<String, u64> {
        let mut requests = BTreeMap::new();
        for repository in self.open.borrow().values() {
            for (method, count) in repository.requests() {
                *requests.entry(method).or_default() += count;
            }
        }
        requests
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn say(&self, text: &str) {
        log::info!("{text}");
    }

    fn complain(&self, text: &str) {
        log::error!("{text}");
    }
}

impl Azure for Imports {
    type Http = Gate;

    fn http(&self) -> &Gate {
        &self.gate
    }

    fn secret(&self, name: &str) -> Result<Secret> {
        secrets::get(name)
    }

    fn look(&self, reference: &str) -> Result<Option<Seen>> {
        let place = self.open(reference, false)?;
        match place.resolve(&place.selector())? {
            None => Ok(None),
            Some(found) => {
                let read = place.get_manifest(&found.digest)?;
                Ok(Some(Seen::read(&found.digest, &found.media_type, &read.content)))
            }
        }
    }

    fn digest(&self, reference: &str) -> Result<Option<String>> {
        let place = self.open(reference, false)?;
        Ok(place.resolve(&place.selector())?.map(|found| found.digest))
    }
}
