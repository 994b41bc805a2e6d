//! A run is written down while it happens, by a thread that nobody waits for.
//!
//! What has come meanwhile is written in one transaction. What cannot be written is said once and
//! tried again; the run goes on. Two moments are waited for, each with a deadline: the run's creation,
//! and its end. The thread also looks whether somebody wants the run to end.

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel},
    },
    thread::JoinHandle,
    time::Instant,
};

use report::Fault;
use run::{Event, EventKind, EventSink, Instance, ProgressId, Stop, Timestamp};

use crate::{
    Claim, Held, NewRun, RecordError, Store,
    fold::{Fold, is_talk},
    limits::{AGAIN, LOOK, MOST_WAITING, PATIENCE},
};

/// Writes the events of one run into the store.
pub struct Recorder {
    to: Sender<Message>,
    /// What was handed to the thread and is not written yet.
    waiting: Arc<AtomicU64>,
    /// What was not handed to it, since too much waited.
    dropped: Arc<AtomicU64>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What a run is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its id.
    pub id: String,
    /// As much of it as tells it from all others in the store.
    pub short: String,
}

enum Message {
    Begin(Begin, Timestamp, SyncSender<Result<Begun, Fault>>),
    Watch(Stop),
    Event(Box<Event>),
    /// The last event; answered when it is on the disk, or cannot be.
    Last(Box<Event>, SyncSender<()>),
}

/// Which run is to be written.
enum Begin {
    New(Box<NewRun>),
    /// One that waits, by its id, and the digest of the file that it runs.
    Queued {
        id: String,
        source: String,
        alone: bool,
    },
}

/// What became of beginning a queued run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It has begun, and is called so.
    Run(Identity),
    /// Another run of the same file is under way.
    Busy,
    /// It is queued no more, or somebody else was faster.
    Gone,
}

/// Is told once that the record of the run cannot be kept.
type Notice = Box<dyn Fn(&Fault) + Send>;

impl Recorder {
    /// Begins to open the store in `directory`, on its own thread; `notice` is called from there.
    pub fn open(directory: &Path, notice: impl Fn(&Fault) + Send + 'static) -> Self {
        let directory = directory.to_owned();
        Self::with(move || Store::open(&directory), notice)
    }

    /// The same with the store that `open` gives.
    pub(crate) fn with(
        open: impl FnOnce() -> Result<Store, RecordError> + Send + 'static,
        notice: impl Fn(&Fault) + Send + 'static,
    ) -> Self {
        let (to, from) = channel();
        let waiting = Arc::new(AtomicU64::new(0));
        let dropped = Arc::new(AtomicU64::new(0));
        let writing = Writing {
            from,
            waiting: Arc::clone(&waiting),
            dropped: Arc::clone(&dropped),
            notice: Box::new(notice),
        };
        let thread = std::thread::Builder::new()
            .name("record".to_owned())
            .spawn(move || writing.work(open))
            .ok();
        Self { to, waiting, dropped, thread: Mutex::new(thread) }
    }

    /// Creates the run and begins it; when this returns, others see it.
    ///
    /// # Errors
    /// Why there is no record: the run can do without, and [`crate::new_id`] has an id for it.
    pub fn create(&self, new: NewRun, at: Timestamp) -> Result<Identity, Fault> {
        match self.begin(Begin::New(Box::new(new)), at)? {
            Begun::Run(identity) => Ok(identity),
            // Nobody else knows of it.
            Begun::Busy | Begun::Gone => Err(RecordError::Gone.into()),
        }
    }

    /// Begins the queued run `id` in this process, with the file whose digest is `source`; if `alone`,
    /// not beside another run of that file.
    ///
    /// # Errors
    /// What [`Store::claim`] says.
    pub fn claim(
        &self,
        id: &str,
        source: &str,
        alone: bool,
        at: Timestamp,
    ) -> Result<Begun, Fault> {
        let (id, source) = (id.to_owned(), source.to_owned());
        self.begin(Begin::Queued { id, source, alone }, at)
    }

    fn begin(&self, begin: Begin, at: Timestamp) -> Result<Begun, Fault> {
        let (answer, answered) = sync_channel(1);
        let gone = || Fault::from(RecordError::Gone);
        self.to.send(Message::Begin(begin, at, answer)).map_err(|_| gone())?;
        answered.recv_timeout(PATIENCE).map_err(|error| gone().cause(error))?
    }

    /// From now on `stop` is pulled when somebody asks in the store that the run end.
    pub fn watch(&self, stop: Stop) {
        // A thread that is gone has said so.
        let _ = self.to.send(Message::Watch(stop));
    }
}

impl EventSink for Recorder {
    fn emit(&self, event: &Event) {
        let waiting = self.waiting.fetch_add(1, Ordering::Relaxed);
        if waiting >= MOST_WAITING && is_talk(&event.kind) {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let event = Box::new(event.clone());
        if !matches!(event.kind, EventKind::RunFinished { .. }) {
            let _ = self.to.send(Message::Event(event));
            return;
        }
        let (answer, answered) = sync_channel(1);
        if self.to.send(Message::Last(event, answer)).is_ok() {
            let _ = answered.recv_timeout(PATIENCE);
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // The thread ends when nobody can tell it anything any more.
        let (nobody, _) = channel();
        self.to = nobody;
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

/// The thread.
struct Writing {
    from: Receiver<Message>,
    waiting: Arc<AtomicU64>,
    dropped: Arc<AtomicU64>,
    notice: Notice,
}

/// A run that is being written.
struct Run {
    store: Store,
    held: Held,
    fold: Fold,
    /// What is not written yet.
    events: Vec<Event>,
    advanced: HashMap<(Instance, ProgressId), u64>,
    stop: Option<Stop>,
    cancels: u32,
    looked: Instant,
    /// When to write again, after it could not be done.
    again: Option<Instant>,
    noticed: bool,
}

impl Writing {
    fn work(self, open: impl FnOnce() -> Result<Store, RecordError>) {
        let opened = open();
        let Ok(Message::Begin(begin, at, answer)) = self.from.recv() else { return };
        let created = opened.and_then(|mut store| {
            let claim = match begin {
                Begin::New(new) => Claim::Held(store.start(&new, at)?),
                Begin::Queued { id, source, alone } => store.claim(&id, &source, alone, at)?,
            };
            let held = match claim {
                Claim::Held(held) => held,
                Claim::Busy => return Ok(Err(Begun::Busy)),
                Claim::Gone => return Ok(Err(Begun::Gone)),
            };
            let short = store.short(held.id())?;
            Ok(Ok((Run::new(store, held), short)))
        });
        let mut run = match created {
            Ok(Ok((run, short))) => {
                let id = run.held.id().to_owned();
                let _ = answer.send(Ok(Begun::Run(Identity { id, short })));
                run
            }
            Ok(Err(not_ours)) => return drop(answer.send(Ok(not_ours))),
            Err(error) => return drop(answer.send(Err(error.into()))),
        };
        loop {
            let message = match self.from.recv_timeout(LOOK) {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let mut ends = None;
            let mut count = 0;
            for message in message.into_iter().chain(self.from.try_iter()) {
                match message {
                    Message::Event(event) => run.take(*event),
                    Message::Last(event, answer) => {
                        run.take(*event);
                        ends = Some(answer);
                    }
                    Message::Watch(stop) => {
                        run.stop = Some(stop);
                        continue;
                    }
                    Message::Begin(..) => continue,
                }
                count += 1;
            }
            run.fold.lost += self.dropped.swap(0, Ordering::Relaxed);
            let written = run.write(ends.is_some());
            // What could not be written still waits.
            self.waiting.fetch_sub(count, Ordering::Relaxed);
            match written {
                Ok(()) => {}
                Err(error) if !run.noticed => {
                    run.noticed = true;
                    (self.notice)(&error.into());
                }
                Err(_) => {}
            }
            if let Some(answer) = ends {
                let is_written = run.events.is_empty();
                if is_written {
                    run.held.release();
                }
                let _ = answer.send(());
                return;
            }
            run.look();
        }
    }
}

impl Run {
    fn new(store: Store, held: Held) -> Self {
        Self {
            fold: Fold::new(held.key),
            store,
            held,
            events: Vec::new(),
            advanced: HashMap::new(),
            stop: None,
            cancels: 0,
            looked: Instant::now(),
            again: None,
            noticed: false,
        }
    }

    /// Takes `event` to be written. Of progress only what it came to is kept.
    fn take(&mut self, event: Event) {
        if let EventKind::ProgressAdvanced { step, progress, amount } = &event.kind {
            let sum = self.advanced.entry((step.clone(), *progress)).or_default();
            *sum = sum.saturating_add(*amount);
            return;
        }
        if let EventKind::ProgressEnded { step, progress } = &event.kind {
            let (step, progress) = (step.clone(), *progress);
            if let Some(amount) = self.advanced.remove(&(step.clone(), progress)) {
                let kind = EventKind::ProgressAdvanced { step, progress, amount };
                self.events.push(Event { kind, ..event.clone() });
            }
        }
        if self.events.len() as u64 >= MOST_WAITING && is_talk(&event.kind) {
            self.fold.lost += 1;
        } else {
            self.events.push(event);
        }
    }

    /// Writes what waits, if this is not the moment to leave the disk alone.
    fn write(&mut self, is_end: bool) -> Result<(), RecordError> {
        let is_early = self.again.is_some_and(|again| Instant::now() < again);
        if self.events.is_empty() || (is_early && !is_end) {
            return Ok(());
        }
        let mut fold = self.fold.clone();
        let events = &self.events;
        let written = match is_end {
            true => self.store.transact(|tx| fold.write(tx, events)),
            false => self.store.note(|tx| fold.write(tx, events)),
        };
        match written {
            Ok(()) => {
                self.fold = fold;
                self.events.clear();
                self.again = None;
                Ok(())
            }
            Err(error) => {
                self.again = Some(Instant::now() + AGAIN);
                Err(error)
            }
        }
    }

    /// Looks whether somebody wants the run to end.
    fn look(&mut self) {
        let Some(stop) = &self.stop else { return };
        if self.looked.elapsed() < LOOK {
            return;
        }
        self.looked = Instant::now();
        // Who cannot read it now looks again soon.
        let asked = self.store.cancels(self.held.key).unwrap_or(self.cancels);
        for _ in self.cancels..asked {
            stop.request();
        }
        self.cancels = asked;
    }
}
