//! Where content is, as far as this run has seen, and what is on its way.
//!
//! A blob that several images share moves once: whoever comes first takes a [`Ticket`] for it, the
//! others wait until it is given back, and then find the blob there, mount it, or go themselves.
//! Who holds a ticket waits only for those of a later kind (referrers, manifest, put), so nobody
//! waits for ever.
//!
//! Knowledge is never proof. It saves requests; a registry that contradicts it is believed, and what
//! was known of its repository forgotten. Of places that are no repositories of a registry nothing
//! is remembered: to ask them costs nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::watch;

use super::lanes::Lanes;
use crate::{Digest, MountSource, RepositoryName, Store};

/// In each list, at some 100 bytes each: 5 MiB. When there are more, everything is forgotten; what is still of
/// use is learned again at the price of a request.
const MOST_SIGHTINGS: usize = 50_000;

/// Repositories in one run; what is copied to others is not remembered.
const MOST_PLACES: usize = 10_000;

/// Which blobs and manifests are in which repositories, as far as this run has seen, and which are
/// on their way. Clones share what they know.
///
/// Copies that share it move each blob once to a registry, and all together move only as many blobs
/// at a time as the first of them may alone. A copy that waits for another's blob relies on that
/// one to be polled or dropped. Forecasts that share it are about copies one after another: what
/// one of them would bring is there for the next.
#[derive(Clone, Default)]
pub struct Whereabouts(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    lanes: OnceLock<Arc<Lanes>>,
}

#[derive(Default)]
struct State {
    places: Vec<Option<MountSource>>,
    names: HashMap<String, PlaceId>,
    present: Sightings,
    /// What was read there to the end, and verified. What is merely said to be somewhere is not.
    given: Sightings,
    /// What would be there if the copies that were forecast had been made.
    foretold: Sightings,
    /// Each ends when its sender is dropped.
    flights: HashMap<(PlaceId, Item), watch::Receiver<()>>,
}

/// Which of the places that were seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct PlaceId(u32);

/// What is somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Item {
    Blob(Digest),
    /// With all that it leads to.
    Manifest(Digest),
    /// Those of a manifest. They are never known to be somewhere: more may come at any time.
    Referrers(Digest),
    /// A manifest while it is written; never known to be anywhere either.
    Put(Digest),
}

#[derive(Default)]
struct Sightings {
    places: HashMap<Item, Vec<PlaceId>>,
    count: usize,
}

/// The right to bring an item to a place, until it is dropped: then whoever waits looks again.
#[derive(Default)]
pub(super) struct Ticket(Option<(Arc<Shared>, PlaceId, Item, watch::Sender<()>)>);

/// What is to be done about an item.
pub(super) enum Claim {
    /// Nothing: it is there.
    Present,
    /// Bring it; it may be mounted from there.
    Go(Ticket, Option<RepositoryName>),
}

enum Look {
    Present,
    /// Somebody else is at it.
    Wait(watch::Receiver<()>),
    Free(Option<RepositoryName>),
}

/// Whether a blob may be mounted from a place.
pub(super) type Permits<'a> = &'a (dyn Fn(&MountSource) -> bool + Send + Sync);

impl Whereabouts {
    /// Forgets what was seen in the repository of `store`: something else than a copy changed it.
    pub fn forget(&self, store: &dyn Store) {
        if let Some(place) = self.place(store) {
            self.lock().present.forget(place);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }

    pub(super) fn place(&self, store: &dyn Store) -> Option<PlaceId> {
        let source = store.mount_source();
        let name = match &source {
            Some(source) => format!("{} {}", source.registry, source.repository),
            None => store.name(),
        };
        let mut state = self.lock();
        if let Some(known) = state.names.get(&name) {
            return Some(*known);
        }
        let id = state.places.len();
        let place = u32::try_from(id).ok().filter(|_| id < MOST_PLACES).map(PlaceId)?;
        state.places.push(source);
        state.names.insert(name, place);
        Some(place)
    }

    /// Room on the wire.
    pub(super) fn lanes(&self, parallel: usize) -> Arc<Lanes> {
        Arc::clone(self.0.lanes.get_or_init(|| Arc::new(Lanes::new(parallel))))
    }

    pub(super) fn knows(&self, place: Option<PlaceId>, item: Item) -> bool {
        place.is_some_and(|place| self.lock().present.has(place, item))
    }

    pub(super) fn learn(&self, place: Option<PlaceId>, item: Item) {
        if let Some(place) = place {
            self.lock().learn(place, item);
        }
    }

    /// Whether `item` came from `place` in this run.
    pub(super) fn has_given(&self, place: Option<PlaceId>, item: Item) -> bool {
        let state = self.lock();
        place.is_some_and(|place| state.given.has(place, item))
    }

    /// The bytes of `item` came from `place`, and were what its digest says.
    pub(super) fn learn_given(&self, place: Option<PlaceId>, item: Item) {
        if let Some(place) = place {
            let mut state = self.lock();
            state.given.add(place, item);
            state.learn(place, item);
        }
    }

    /// What to do about `item`, once nobody else is at it. With `may_mount` it is also waited for
    /// those who bring it to other repositories of the same registry.
    pub(super) async fn claim(
        &self,
        place: Option<PlaceId>,
        item: Item,
        may_mount: Option<Permits<'_>>,
    ) -> Claim {
        let Some(place) = place else { return Claim::Go(Ticket::default(), None) };
        loop {
            let mut other = {
                let mut state = self.lock();
                match state.look(place, item, may_mount) {
                    Look::Present => return Claim::Present,
                    Look::Wait(other) => other,
                    Look::Free(mount_from) => {
                        let (ends, flight) = watch::channel(());
                        state.flights.insert((place, item), flight);
                        let flight = Some((Arc::clone(&self.0), place, item, ends));
                        return Claim::Go(Ticket(flight), mount_from);
                    }
                }
            };
            // An error says that the sender is gone, which is what is waited for.
            let _ = other.changed().await;
        }
    }

    /// From now on it is taken for granted that `item` will be at `place`; whether it was before.
    pub(super) fn foretell(&self, place: Option<PlaceId>, item: Item) -> bool {
        let Some(place) = place else { return false };
        let mut state = self.lock();
        let was = state.foretold.has(place, item);
        if !was {
            state.foretold.add(place, item);
        }
        was
    }

    pub(super) fn is_foretold(&self, place: Option<PlaceId>, item: Item) -> bool {
        place.is_some_and(|place| self.lock().foretold.has(place, item))
    }

    /// A repository of the same registry that has `item`, or would have it by then.
    pub(super) fn elsewhere(
        &self,
        place: Option<PlaceId>,
        item: Item,
        may_mount: Permits<'_>,
    ) -> Option<RepositoryName> {
        let state = self.lock();
        let seen = [&state.present, &state.foretold];
        seen.iter().find_map(|seen| state.mountable(place?, seen.at(item), may_mount))
    }
}

impl State {
    fn look(&self, place: PlaceId, item: Item, may_mount: Option<Permits<'_>>) -> Look {
        if self.present.has(place, item) {
            return Look::Present;
        }
        if let Some(flight) = self.flights.get(&(place, item)) {
            return Look::Wait(flight.clone());
        }
        let Some(may_mount) = may_mount else { return Look::Free(None) };
        if let Some(found) = self.mountable(place, self.present.at(item), may_mount) {
            return Look::Free(Some(found));
        }
        let flight = self.flights.iter().find(|((other, flying), _)| {
            *flying == item && self.mountable(place, &[*other], may_mount).is_some()
        });
        flight.map_or(Look::Free(None), |(_, flight)| Look::Wait(flight.clone()))
    }

    /// The first of `others` from which `place` may mount.
    fn mountable(
        &self,
        place: PlaceId,
        others: &[PlaceId],
        may_mount: Permits<'_>,
    ) -> Option<RepositoryName> {
        let registry = &self.source(place)?.registry;
        let candidates = others.iter().filter(|other| **other != place);
        let mut sources = candidates.filter_map(|other| self.source(*other));
        let found = sources.find(|other| other.registry == *registry && may_mount(other))?;
        Some(found.repository.clone())
    }

    fn source(&self, place: PlaceId) -> Option<&MountSource> {
        self.places.get(place.0 as usize)?.as_ref()
    }

    fn learn(&mut self, place: PlaceId, item: Item) {
        if self.source(place).is_some() {
            self.present.add(place, item);
        }
    }
}

impl Sightings {
    fn at(&self, item: Item) -> &[PlaceId] {
        self.places.get(&item).map_or(&[], Vec::as_slice)
    }

    fn has(&self, place: PlaceId, item: Item) -> bool {
        self.at(item).contains(&place)
    }

    fn add(&mut self, place: PlaceId, item: Item) {
        if self.has(place, item) {
            return;
        }
        if self.count >= MOST_SIGHTINGS {
            *self = Self::default();
        }
        self.places.entry(item).or_default().push(place);
        self.count += 1;
    }

    fn forget(&mut self, place: PlaceId) {
        self.places.retain(|_, places| {
            places.retain(|known| *known != place);
            !places.is_empty()
        });
        self.count = self.places.values().map(Vec::len).sum();
    }
}

impl Ticket {
    /// The item is there.
    pub(super) fn landed(self) {
        if let Some((shared, place, item, _)) = &self.0 {
            shared.lock().learn(*place, *item);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some((shared, place, item, _)) = &self.0 {
            shared.lock().flights.remove(&(*place, *item));
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
