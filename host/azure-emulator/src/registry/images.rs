//! What a registry remembers of its images besides their bytes: when they came.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::world::World;

/// By repository.
pub(crate) type Images = BTreeMap<String, Repository>;

/// A repository.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Repository {
    pub(crate) times: Times,
    /// By digest.
    pub(crate) manifests: BTreeMap<String, Times>,
    /// By tag.
    pub(crate) tags: BTreeMap<String, Times>,
}

/// Microseconds since 1970: whoever sorts by time shall find what came first.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Times {
    pub(crate) created: i64,
    pub(crate) updated: i64,
}

impl Times {
    fn touch(&mut self, now: i64) {
        if self.created == 0 {
            self.created = now;
        }
        self.updated = now;
    }
}

/// Notes that a manifest is there, and maybe a tag.
pub(crate) fn note(
    world: &mut World,
    registry: &str,
    repository: &str,
    digest: &str,
    tag: Option<&str>,
    now: i64,
) {
    let images = world.images.entry(registry.to_ascii_lowercase()).or_default();
    let repository = images.entry(repository.to_owned()).or_default();
    repository.times.touch(now);
    repository.manifests.entry(digest.to_owned()).or_default().touch(now);
    if let Some(tag) = tag {
        repository.tags.entry(tag.to_owned()).or_default().touch(now);
    }
}

/// Forgets a tag or a digest.
pub(crate) fn forget(world: &mut World, registry: &str, repository: &str, reference: &str) {
    let images = world.images.entry(registry.to_ascii_lowercase()).or_default();
    if let Some(repository) = images.get_mut(repository) {
        repository.manifests.remove(reference);
        repository.tags.remove(reference);
    }
}

/// The bytes of a registry's files.
pub(crate) fn size(state: &Path, registry: &str) -> u64 {
    fn of(folder: &Path) -> u64 {
        let Ok(entries) = fs_err::read_dir(folder) else { return 0 };
        let sizes = entries.flatten().map(|entry| match entry.metadata() {
            Ok(facts) if facts.is_dir() => of(&entry.path()),
            Ok(facts) => facts.len(),
            Err(_) => 0,
        });
        sizes.sum()
    }
    of(&state.join("registries").join(registry.to_ascii_lowercase()))
}
