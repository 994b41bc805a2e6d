//! Processes that live beside this one, and their end: none outlives the command that started it.
//!
//! However a command ends, by itself, by an error, or by a signal, its children are asked to stop,
//! then stopped, and its folder is removed. Only SIGKILL to this program itself escapes that.

use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How long a child may take to stop when asked: a registry closes its connections well within.
const PATIENCE: Duration = Duration::from_secs(3);

/// How often a child that should end is looked at.
const GLANCE: Duration = Duration::from_millis(10);

/// The children of one command, and the folder that they work in.
pub(crate) struct Children {
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    children: Vec<Child>,
    folder: PathBuf,
}

impl Children {
    /// Makes an empty `folder`, and sees to it that SIGINT, SIGTERM and SIGHUP end the children
    /// first and this program then.
    pub(crate) fn new(folder: PathBuf) -> Result<Self> {
        std::fs::remove_dir_all(&folder).ok();
        crate::files::make_folder(&folder)?;
        let shared = Arc::new(Mutex::new(Shared { children: Vec::new(), folder }));
        // Handlers, not a blocked mask: children would inherit that and be deaf to SIGTERM.
        let mut signals =
            Signals::new([SIGHUP, SIGINT, SIGTERM]).context("cannot catch signals")?;
        let of_thread = Arc::clone(&shared);
        std::thread::spawn(move || {
            if let Some(signal) = signals.forever().next() {
                // Held to the end: the main thread must not report children that are gone.
                let mut shared = lock(&of_thread);
                shared.end();
                eprintln!("\nstopped by signal {signal}; nothing was left behind");
                std::process::exit(128 + signal);
            }
        });
        Ok(Self { shared })
    }

    /// Where the children may write.
    pub(crate) fn folder(&self) -> PathBuf {
        lock(&self.shared).folder.clone()
    }

    /// Starts `command` as a child that runs beside this program; hands its output out if piped.
    pub(crate) fn start(&self, command: &mut Command) -> Result<Outputs> {
        // Under the lock: a signal must not come between start and entry.
        let mut shared = lock(&self.shared);
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().to_string_lossy()))?;
        let outputs =
            Outputs { stdout: child.stdout.take(), stderr: child.stderr.take(), id: child.id() };
        shared.children.push(child);
        Ok(outputs)
    }

    /// Runs `command` to its end.
    pub(crate) fn run(&self, command: &mut Command) -> Result<ExitStatus> {
        let id = self.start(command)?.id;
        loop {
            let mut shared = lock(&self.shared);
            let at = shared.children.iter().position(|child| child.id() == id);
            let at = at.context("the child is gone")?;
            let child = shared.children.get_mut(at).context("the child is gone")?;
            if child.try_wait().context("cannot wait for a child")?.is_some() {
                return shared.children.swap_remove(at).wait().context("cannot wait for a child");
            }
            drop(shared);
            std::thread::sleep(GLANCE);
        }
    }

    /// Ends the child `id`, if it still runs.
    pub(crate) fn stop(&self, id: u32) {
        let mut shared = lock(&self.shared);
        let at = shared.children.iter().position(|child| child.id() == id);
        if let Some(child) = at.map(|at| shared.children.swap_remove(at)) {
            ask_to_stop(&child);
            wait_or_kill(child, Instant::now() + PATIENCE);
        }
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        lock(&self.shared).end();
    }
}

/// The ends of a child's pipes that are ours.
pub(crate) struct Outputs {
    /// What it prints, if that was piped.
    pub(crate) stdout: Option<std::process::ChildStdout>,
    /// What it says, if that was piped.
    pub(crate) stderr: Option<std::process::ChildStderr>,
    /// Which child it is.
    pub(crate) id: u32,
}

impl Shared {
    fn end(&mut self) {
        self.children.iter().for_each(ask_to_stop);
        let deadline = Instant::now() + PATIENCE;
        for child in self.children.drain(..) {
            wait_or_kill(child, deadline);
        }
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

fn ask_to_stop(child: &Child) {
    if let Ok(id) = i32::try_from(child.id()) {
        kill(Pid::from_raw(id), Signal::SIGTERM).ok();
    }
}

fn wait_or_kill(mut child: Child, deadline: Instant) {
    while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
        std::thread::sleep(GLANCE);
    }
    child.kill().ok();
    child.wait().ok();
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
