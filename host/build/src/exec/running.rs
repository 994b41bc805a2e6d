//! A command that runs, seen from the runner.

use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use report::Secret;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, ioctl_fionbio, read};

use super::error::ExecError;
use super::order::{Answer, Order};
use super::wire;

/// 64 KiB: a longer line is passed on in pieces of this size.
pub const LONGEST_LINE: usize = 64 << 10;

/// Where a line was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// By [`Stop::stop`].
    Stopped,
}

/// A command that is being run.
///
/// When this is dropped, or [`Running::wait`] returns, no process of it is left and nothing is
/// mounted. If this process dies without either, the same happens without it.
pub struct Running {
    helper: Child,
    control: Arc<UnixStream>,
    out: Lines,
    err: Lines,
    is_stopped: Arc<AtomicBool>,
}

/// Ends a command and all its processes, from any thread and at any time.
#[derive(Clone)]
pub struct Stop {
    control: Arc<UnixStream>,
    is_stopped: Arc<AtomicBool>,
}

impl Stop {
    /// Ends it. Does nothing to one that has ended.
    pub fn stop(&self) {
        self.is_stopped.store(true, Ordering::SeqCst);
        // The helper sees the end of the socket. One that has died needs no telling.
        let _ = self.control.shutdown(Shutdown::Write);
    }
}

impl Running {
    pub(super) fn new(
        helper: Child,
        control: UnixStream,
        out: OwnedFd,
        err: OwnedFd,
    ) -> io::Result<Self> {
        Ok(Self {
            helper,
            control: Arc::new(control),
            out: Lines::new(out, Stream::Out)?,
            err: Lines::new(err, Stream::Err)?,
            is_stopped: Arc::new(AtomicBool::new(false)),
        })
    }

    /// Tells the helper what to do.
    pub(super) fn order(
        &self,
        order: &Order,
        secrets: &[&Secret],
        namespace: Option<&OwnedFd>,
    ) -> io::Result<()> {
        wire::send(&self.control, order, secrets, namespace.map(AsFd::as_fd))
    }

    /// The process number of the helper, above all processes of the command.
    pub fn id(&self) -> u32 {
        self.helper.id()
    }

    /// What ends it.
    pub fn stop(&self) -> Stop {
        Stop { control: Arc::clone(&self.control), is_stopped: Arc::clone(&self.is_stopped) }
    }

    /// Waits for its end. `line` gets every line that it writes, without the line feed, as it comes;
    /// while `line` works, the command can write no more than a pipe holds.
    ///
    /// Blocks; callers that must not call it on a thread of its own.
    ///
    /// # Errors
    /// [`ExecError::Step`] if the sandbox could not be prepared or the command not be started;
    /// [`ExecError::Lost`] if the helper was killed.
    pub fn wait(mut self, line: &mut dyn FnMut(Stream, &[u8])) -> Result<Exit, ExecError> {
        let failed = |source| ExecError::Process { what: "follow the command", source };
        let answer = loop {
            let mut watched = vec![PollFd::new(&*self.control, PollFlags::IN)];
            let lines = [&self.out, &self.err];
            watched.extend(
                lines
                    .iter()
                    .filter(|lines| lines.is_open)
                    .map(|lines| PollFd::new(&lines.pipe, PollFlags::IN)),
            );
            match poll(&mut watched, None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(failed(error.into())),
            }
            let is_told = watched.first().is_some_and(|control| !control.revents().is_empty());
            drop(watched);
            self.out.pass_on(line).map_err(failed)?;
            self.err.pass_on(line).map_err(failed)?;
            if is_told {
                break wire::receive::<Answer>(&self.control).map_err(failed)?;
            }
        };
        let status = self.helper.wait().map_err(failed)?;
        // Whatever holds the other ends now is none of ours, and is not waited for.
        self.out.finish(line).map_err(failed)?;
        self.err.finish(line).map_err(failed)?;
        let is_stopped = self.is_stopped.load(Ordering::SeqCst);
        match answer.map(|frame| frame.value) {
            Some(Answer::Failed(failure)) if !is_stopped => Err(failure.into()),
            _ if is_stopped => Ok(Exit::Stopped),
            Some(Answer::Exited(code)) => Ok(Exit::Code(code)),
            Some(Answer::Signalled(signal)) => Ok(Exit::Signal(signal)),
            _ => Err(ExecError::Lost(status.to_string())),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.control.shutdown(Shutdown::Both);
        let _ = self.helper.wait();
    }
}

/// One stream of output, cut into lines.
struct Lines {
    pipe: OwnedFd,
    stream: Stream,
    /// The beginning of a line whose end has not come yet.
    pending: Vec<u8>,
    is_open: bool,
}

impl Lines {
    fn new(pipe: OwnedFd, stream: Stream) -> io::Result<Self> {
        ioctl_fionbio(&pipe, true)?;
        Ok(Self { pipe, stream, pending: Vec::new(), is_open: true })
    }

    /// Passes on what there is now: one buffer's worth, so that the other stream gets its turn.
    fn pass_on(&mut self, line: &mut dyn FnMut(Stream, &[u8])) -> io::Result<()> {
        if !self.is_open {
            return Ok(());
        }
        let mut buffer = [0; 16 << 10];
        match read(self.pipe.as_fd(), &mut buffer) {
            Ok(0) => self.is_open = false,
            Ok(length) => self.cut(buffer.get(..length).unwrap_or_default(), line),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Passes on what is left when all writers have ended.
    fn finish(&mut self, line: &mut dyn FnMut(Stream, &[u8])) -> io::Result<()> {
        let mut buffer = [0; 16 << 10];
        while self.is_open {
            match read(self.pipe.as_fd(), &mut buffer) {
                Ok(0) | Err(Errno::AGAIN) => self.is_open = false,
                Ok(length) => self.cut(buffer.get(..length).unwrap_or_default(), line),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if !self.pending.is_empty() {
            line(self.stream, &self.pending);
            self.pending.clear();
        }
        Ok(())
    }

    fn cut(&mut self, bytes: &[u8], line: &mut dyn FnMut(Stream, &[u8])) {
        let mut rest = bytes;
        while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
            let (head, tail) = rest.split_at(at);
            if self.pending.is_empty() {
                line(self.stream, head);
            } else {
                self.append(head, line);
                line(self.stream, &self.pending);
                self.pending.clear();
            }
            rest = tail.get(1..).unwrap_or_default();
        }
        self.append(rest, line);
    }

    fn append(&mut self, bytes: &[u8], line: &mut dyn FnMut(Stream, &[u8])) {
        if self.pending.len() + bytes.len() > LONGEST_LINE {
            line(self.stream, &self.pending);
            self.pending.clear();
        }
        self.pending.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests;
