//! The component: the host's interfaces behind the trait that the logic asks for.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use windlass_plugin::build::Builder;
use windlass_plugin::oci::{Access, Descriptor, Lookup, Repository};
use windlass_plugin::state::Expected;
use windlass_plugin::{Context, Error, Outcome, Request, Result, Step, log, state, workspace};

use crate::host::{Head, Host};
use crate::inputs::{self, Inputs};
use crate::outputs::Outputs;
use crate::watch::watch;

/// Tags that are asked for at once; the most that the host gives.
const PAGE: u32 = 1000;

/// The most tags of a repository: a megabyte or two of names.
const MOST_TAGS: usize = 100_000;

/// The most of a configuration that is read: the largest are some ten KiB.
const LARGEST_BLOB: u64 = 1024 * 1024;

/// The plugin.
pub struct WatchBaseImage;

impl Step for WatchBaseImage {
    const NAME: &'static str = "watch-base-image";
    const SUMMARY: &'static str = "tells whether images have changed that others are built on";
    type Inputs = Inputs;
    type Outputs = Outputs;

    fn requests() -> Vec<Request> {
        inputs::requests()
    }

    fn run(inputs: Inputs, context: &Context) -> Result<Outcome<Outputs>> {
        let (outputs, summary) = watch(&inputs, context.dry_run, &Imports::default())?;
        let outcome = match outputs.changed {
            true => Outcome::changed(outputs),
            false => Outcome::unchanged(outputs),
        };
        Ok(outcome.summary(summary))
    }
}

windlass_plugin::step!(WatchBaseImage);

/// A repository is open while it is needed, so that the number of images has no limit but memory.
#[derive(Default)]
struct Imports {
    asked: RefCell<BTreeMap<String, u64>>,
}

impl Imports {
    fn with<T>(&self, name: &str, ask: impl FnOnce(&Repository) -> Result<T>) -> Result<T> {
        let repository = Repository::open(name, Access::PULL)?;
        let answer = ask(&repository);
        self.count(repository.requests());
        answer
    }

    fn count(&self, requests: BTreeMap<String, u64>) {
        let mut asked = self.asked.borrow_mut();
        for (method, count) in requests {
            *asked.entry(method).or_default() += count;
        }
    }
}

fn head(found: Descriptor) -> Head {
    let Descriptor { digest, media_type, size, .. } = found;
    Head { digest, media_type, size }
}

impl Host for Imports {
    fn open(&self, reference: &str) -> Result<(String, String)> {
        let repository = Repository::open(reference, Access::PULL)?;
        Ok((repository.name(), repository.selector()))
    }

    fn resolve(&self, repository: &str, selector: &str) -> Result<Option<Head>> {
        self.with(repository, |it| Ok(it.resolve(selector)?.map(head)))
    }

    fn resolve_all(&self, references: &[String]) -> Vec<Result<Option<Head>>> {
        let lookup = Lookup::new(references);
        let answers = lookup.run().into_iter();
        let heads = answers.map(|answer| answer.map(|found| found.map(head))).collect();
        self.count(lookup.requests());
        heads
    }

    fn manifest(&self, repository: &str, digest: &str) -> Result<Vec<u8>> {
        self.with(repository, |it| Ok(it.get_manifest(digest)?.content))
    }

    fn blob(&self, repository: &str, blob: &Head) -> Result<Vec<u8>> {
        if blob.size > LARGEST_BLOB {
            return Err(Error::failed(format!("its configuration has {} bytes", blob.size)));
        }
        let descriptor = Descriptor {
            media_type: blob.media_type.clone(),
            digest: blob.digest.clone(),
            size: blob.size,
            artifact_type: None,
            platform: None,
            annotations: Vec::new(),
        };
        let length = u32::try_from(blob.size).unwrap_or(u32::MAX);
        self.with(repository, |it| it.get_blob(&descriptor)?.read(0, length))
    }

    fn tags(&self, repository: &str) -> Result<Vec<String>> {
        self.with(repository, all_tags)
    }

    fn read(&self, path: &str) -> Result<String> {
        workspace::read_to_string(path)
    }

    fn load(&self, key: &str) -> Result<Option<(Vec<u8>, u64)>> {
        Ok(state::get(key)?.map(|entry| (entry.value, entry.version)))
    }

    fn save(&self, key: &str, value: &[u8], version: Option<u64>) -> Result<bool> {
        let expected = version.map_or(Expected::Absent, Expected::Version);
        match state::put(key, value, expected) {
            Ok(_) => Ok(true),
            Err(error) if error.is("conflict") => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn machine(&self) -> String {
        Builder::machine()
    }

    #[expect(clippy::disallowed_methods, reason = "the component's clock is the host's")]
    fn now(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn requests(&self) -> BTreeMap<String, u64> {
        self.asked.borrow().clone()
    }

    fn say(&self, text: &str) {
        log::info!("{text}");
    }

    fn warn(&self, text: &str) {
        log::warn!("{text}");
    }
}

fn all_tags(repository: &Repository) -> Result<Vec<String>> {
    let mut tags: Vec<String> = Vec::new();
    loop {
        let page = repository.tags(tags.last().map(String::as_str), PAGE)?;
        // The host fills a page from as many answers as it takes.
        let is_last = page.len() < PAGE as usize;
        tags.extend(page);
        if tags.len() > MOST_TAGS {
            return Err(Error::failed(format!("there are more than {MOST_TAGS} tags"))
                .hint("name the tag that is watched"));
        }
        if is_last {
            return Ok(tags);
        }
    }
}
