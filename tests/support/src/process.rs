//! Child processes with an end: what they print is kept, and whoever waits for them waits only so
//! long.
//!
//! Children stay in the process group of the test: whoever kills that group takes them along.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use nix::sys::signal::Signal;

/// Longer than any command takes on a busy machine with two processors; shorter than patience.
pub(crate) const DEADLINE: Duration = Duration::from_secs(90);

/// Between two looks at something that another process does.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks again and again until `look` finds something.
///
/// # Panics
/// Nothing was found within 90 s; the message says what was waited for.
pub fn poll<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < DEADLINE, "waited {DEADLINE:?} for {what}, in vain");
        std::thread::sleep(PAUSE);
    }
}

/// Lets others work for a moment.
pub(crate) fn pause() {
    std::thread::sleep(PAUSE);
}

/// A process that runs, and what it has printed up to now. Killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// How it was started, for messages.
    shown: String,
    stdout: Pipe,
    stderr: Pipe,
}

/// One stream of a child, read by a thread.
#[derive(Debug)]
struct Pipe {
    text: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Running {
    /// Starts `command` with `stdin` as its standard input.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn start(mut command: Command, stdin: &[u8]) -> Self {
        use std::io::Write as _;
        let shown = format!("{command:?}");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {shown}: {error}"));
        let stdout = Pipe::read(child.stdout.take().expect("stdout is piped"));
        let stderr = Pipe::read(child.stderr.take().expect("stderr is piped"));
        let mut to = child.stdin.take().expect("stdin is piped");
        // A child that does not read its input is free to end without it.
        let _ = to.write_all(stdin);
        drop(to);
        Self { child, shown, stdout, stderr }
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// The process is not there any more.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).expect("process ids are positive i32");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(id), signal)
            .unwrap_or_else(|error| panic!("cannot send {signal} to {}: {error}", self.shown));
    }

    /// What it has printed to standard output up to now.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// What it has printed to standard error up to now.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Waits until `look` finds something in what was printed (standard output, standard error).
    ///
    /// # Panics
    /// The process ends before, or it takes too long.
    pub fn wait_for<T>(&mut self, what: &str, look: impl Fn(&str, &str) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            // Asked first: what a process printed before its end is looked at once more.
            let ended = self.child.try_wait().expect("a child can be waited for");
            if ended.is_some() {
                self.stdout.join();
                self.stderr.join();
            }
            if let Some(found) = look(&self.stdout(), &self.stderr()) {
                return found;
            }
            assert!(ended.is_none(), "no {what}: it ended with {ended:?}\n{}", self.account());
            assert!(
                start.elapsed() < DEADLINE,
                "no {what} within {DEADLINE:?}\n{}",
                self.account()
            );
            std::thread::sleep(PAUSE);
        }
    }

    /// Asks it to end, and lets it: what it has started goes with it. Killed if it takes too long.
    pub fn end(mut self) {
        let start = Instant::now();
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal(Signal::SIGTERM);
        }
        while start.elapsed() < DEADLINE && matches!(self.child.try_wait(), Ok(None)) {
            pause();
        }
    }

    /// Waits for its end; returns the status and what it printed on both streams.
    ///
    /// # Panics
    /// It does not end within 90 s; the message holds all that it printed.
    pub fn finish(mut self) -> (ExitStatus, String, String) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                break status;
            }
            if start.elapsed() > DEADLINE {
                let _ = self.child.kill();
                panic!("did not end within {DEADLINE:?}\n{}", self.account());
            }
            std::thread::sleep(PAUSE);
        };
        self.stdout.join();
        self.stderr.join();
        (status, self.stdout(), self.stderr())
    }

    fn account(&self) -> String {
        format!("{}\n--- stdout\n{}\n--- stderr\n{}", self.shown, self.stdout(), self.stderr())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Pipe {
    fn read(mut from: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&text);
        let reader = std::thread::spawn(move || {
            let mut chunk = [0; 8192];
            while let Ok(read @ 1..) = from.read(&mut chunk) {
                let new = chunk.get(..read).unwrap_or_default();
                to.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(new);
            }
        });
        Self { text, reader: Some(reader) }
    }

    fn text(&self) -> String {
        let bytes = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn join(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("a reader of a pipe does not panic");
        }
    }
}
