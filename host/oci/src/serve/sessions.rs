//! Uploads that are under way: each is known by an id, and one request at a time writes to it.
//!
//! They end with the process: what they wrote is swept up later. A request that comes for a session
//! takes it over from one that still waits for its body: a client that comes again has given the
//! other one up, even where the broken connection has not been noticed yet.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use http::StatusCode;
use http::header::RETRY_AFTER;
use tokio::sync::{OwnedMutexGuard, watch};
use tokio::time::Instant;

use super::answer::{Refusal, Sought};
use super::uploads::receive;
use crate::{RepositoryName, Upload};

/// Sessions that may be open at the same time: each holds a file, of which a process usually may
/// have 1024, and connections need theirs.
pub(super) const MOST_SESSIONS: usize = 400;

/// A session that nobody has touched for so long is given up.
pub(super) const IDLE: Duration = Duration::from_secs(3600);

/// Where there are too many, one that nobody has touched for so long gives way to a new one.
const GIVES_WAY: Duration = Duration::from_secs(60);

/// When to come again if there are too many, in seconds.
const COME_AGAIN: &str = "10";

/// All of them.
#[derive(Default)]
pub(super) struct Sessions(Mutex<BTreeMap<String, Session>>);

struct Session {
    repository: RepositoryName,
    slot: Arc<tokio::sync::Mutex<Slot>>,
    /// Counts the requests for it: all but the last one are over.
    requests: watch::Sender<u64>,
}

/// What the request that has its turn holds.
struct Slot {
    /// Nothing once it is finished.
    upload: Option<Box<dyn Upload>>,
    /// When the last request let go of it.
    touched: Instant,
}

/// A request's hold on a session.
pub(super) struct Turn {
    slot: OwnedMutexGuard<Slot>,
    requests: watch::Receiver<u64>,
    number: u64,
}

impl Sessions {
    /// Takes an upload in; its id.
    pub(super) fn start(
        &self,
        repository: &RepositoryName,
        upload: Box<dyn Upload>,
    ) -> Result<String, Refusal> {
        let id = format!("{:032x}", rand::random::<u128>());
        let mut sessions = self.lock();
        drop_idle(&mut sessions, IDLE);
        if sessions.len() >= MOST_SESSIONS {
            drop_idle(&mut sessions, GIVES_WAY);
        }
        if sessions.len() >= MOST_SESSIONS {
            let message = format!("{MOST_SESSIONS} uploads are under way");
            return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS", message)
                .with(RETRY_AFTER, COME_AGAIN.to_owned()));
        }
        let session = Session {
            repository: repository.clone(),
            slot: Arc::new(tokio::sync::Mutex::new(Slot {
                upload: Some(upload),
                touched: Instant::now(),
            })),
            requests: watch::Sender::new(0),
        };
        sessions.insert(id.clone(), session);
        Ok(id)
    }

    /// Gives up what nobody has touched for long.
    pub(super) fn expire(&self) {
        drop_idle(&mut self.lock(), IDLE);
    }

    /// Waits until the session is this request's.
    pub(super) async fn turn(
        &self,
        repository: &RepositoryName,
        id: &str,
    ) -> Result<Turn, Refusal> {
        let (slot, requests, number) = {
            let mut sessions = self.lock();
            let session = find(&mut sessions, repository, id)?;
            session.requests.send_modify(|number| *number += 1);
            let requests = session.requests.subscribe();
            let number = *requests.borrow();
            (Arc::clone(&session.slot), requests, number)
        };
        Ok(Turn { slot: slot.lock_owned().await, requests, number })
    }

    /// Takes it off.
    pub(super) fn end(&self, repository: &RepositoryName, id: &str) -> Result<(), Refusal> {
        let mut sessions = self.lock();
        find(&mut sessions, repository, id)?;
        sessions.remove(id);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those that a request holds stay, however long it takes.
fn drop_idle(sessions: &mut BTreeMap<String, Session>, idle: Duration) {
    sessions.retain(|_, session| {
        session.slot.try_lock().map_or(true, |slot| slot.touched.elapsed() < idle)
    });
}

fn find<'a>(
    sessions: &'a mut BTreeMap<String, Session>,
    repository: &RepositoryName,
    id: &str,
) -> Result<&'a mut Session, Refusal> {
    let session = sessions.get_mut(id).filter(|session| session.repository == *repository);
    session.ok_or_else(unknown)
}

fn unknown() -> Refusal {
    Refusal::unknown(Sought::Upload, "there is no such upload")
}

impl Turn {
    /// The upload, unless it was finished while this request waited.
    pub(super) fn upload(&mut self) -> Result<&mut dyn Upload, Refusal> {
        match &mut self.slot.upload {
            Some(upload) => Ok(&mut **upload),
            None => Err(unknown()),
        }
    }

    /// Appends a body, until another request comes for the session.
    pub(super) async fn receive(&mut self, body: Body) -> Result<(), Refusal> {
        let (mut requests, number) = (self.requests.clone(), self.number);
        let upload = self.upload()?;
        tokio::select! {
            received = receive(upload, body) => received,
            _ = requests.wait_for(|last| *last != number) => {
                let message = "another request came for the upload";
                Err(Refusal::new(StatusCode::CONFLICT, "BLOB_UPLOAD_INVALID", message))
            }
        }
    }

    /// Takes the upload out, to be finished.
    pub(super) fn take(&mut self) -> Result<Box<dyn Upload>, Refusal> {
        self.slot.upload.take().ok_or_else(unknown)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.slot.touched = Instant::now();
    }
}
