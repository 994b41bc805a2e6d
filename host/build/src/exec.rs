//! Commands in a sandbox: what `RUN` is.
//!
//! Three processes of this program work together. The runner asks; the helper, started as
//! `PROGRAM build-helper`, makes namespaces and mounts and watches; the first process of the new
//! process namespace, the same program once more, enters the file system, gives up its privileges
//! and becomes the command. No daemon, no container runtime and no set-uid program is needed.
//!
//! ```text
//! runner ──socket──► helper ──socket──► first process = the command
//!    ◄── answers ──     │ kills all when the runner's end of the socket closes
//!    ◄──── pipes of standard output and error ────────────┘
//! ```
//!
//! The same helper does file work ([`Operation`]) and reads snapshots where files belong to users that
//! only the namespace has.
//!
//! What holds: the command sees only what the [`Run`] names; it ends with the runner, whatever ends
//! that; it leaves nothing mounted; secrets reach no disk, no argument and no environment but that
//! of the command itself, and only where asked for.

mod device;
mod error;
mod first;
mod loopback;
mod mapping;
mod mount;
mod mount_point;
mod operation;
mod order;
mod overlay;
mod privilege;
mod reading;
mod run;
mod running;
mod seccomp;
mod stage;
mod supervisor;
mod user;
mod wire;

use std::net::Shutdown;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use report::{Fault, Kind, Side};

pub use self::error::{ExecError, Failure, Step};
pub use self::mapping::Mapping;
pub(crate) use self::operation::unpack;
pub use self::operation::{Form, Operation, Outcome};
pub(crate) use self::reading::Reader;
pub use self::run::{Access, Mount, MountKind, Network, Run};
pub use self::running::{Exit, LONGEST_LINE, Running, Stop, Stream};
pub use self::supervisor::helper;

use self::order::{Answer, Order};

/// The first argument that makes the program a helper: see [`helper`].
pub const HELPER: &str = "build-helper";

/// What an [`Executor`] needs from the machine.
#[derive(Clone, Debug)]
pub struct Setup {
    /// This program, which calls [`helper`] when its first argument is [`HELPER`]:
    /// `/proc/self/exe`.
    pub program: PathBuf,
    /// The program newuidmap, if there is one.
    pub newuidmap: Option<PathBuf>,
    /// The program newgidmap, if there is one.
    pub newgidmap: Option<PathBuf>,
}

/// Runs commands. Made once; commands may run at the same time.
pub struct Executor {
    setup: Setup,
    mapping: Mapping,
    namespace: Option<OwnedFd>,
    /// A helper for the next command: a program of this size takes a millisecond to start.
    spare: Mutex<Option<Running>>,
}

impl Executor {
    /// Finds out what this machine allows to this user.
    ///
    /// # Errors
    /// [`ExecError::Step`] with [`Step::UserNamespace`] if it allows no sandbox at all.
    pub fn new(setup: Setup) -> Result<Self, ExecError> {
        let (mapping, namespace) = mapping::find(&setup)?;
        Ok(Self { setup, mapping, namespace, spare: Mutex::new(None) })
    }

    /// Which users and groups commands have.
    pub fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// Begins to run a command. What goes wrong on the way is said by [`Running::wait`].
    ///
    /// # Errors
    /// [`ExecError::Process`] if no process can be started; [`ExecError::Step`] with
    /// [`Step::Request`] if there is nothing to run.
    pub fn start(&self, run: &Run) -> Result<Running, ExecError> {
        let is_real_root = self.mapping == Mapping::Root;
        let (sandbox, secrets) = order::sandbox(run, self.mapping.ids(), is_real_root)?;
        let order = Order::Run(Box::new(sandbox));
        let namespace = self.namespace.as_ref();
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).take();
        // One that somebody has killed meanwhile takes no order.
        let ordered = spare.filter(|spare| spare.order(&order, &secrets, namespace).is_ok());
        let running = match ordered {
            Some(running) => running,
            None => {
                let running = self.helper()?;
                let failed = |source| ExecError::Process { what: "start a command", source };
                running.order(&order, &secrets, namespace).map_err(failed)?;
                running
            }
        };
        // While that one works. Without a spare one the next command begins later, and nothing else.
        let spare = self.helper().ok();
        *self.spare.lock().unwrap_or_else(PoisonError::into_inner) = spare;
        Ok(running)
    }

    /// A helper that waits for its order.
    fn helper(&self) -> Result<Running, ExecError> {
        let (mut helper, control) = spawn(&self.setup, Stdio::piped(), Stdio::piped())?;
        let failed = |source| ExecError::Process { what: "start a helper", source };
        let pipes = helper.stdout.take().zip(helper.stderr.take());
        let (out, err) = pipes.ok_or_else(|| failed(std::io::Error::other("no pipes")))?;
        Running::new(helper, control, out.into(), err.into()).map_err(failed)
    }

    /// Does file work as the root of the commands: in this process where that is who we are, or
    /// where there is nobody else; in a helper where files may belong to users of the namespace.
    /// Blocks. The helper ends with this process, done or not.
    ///
    /// # Errors
    /// What the work says; or that there is no helper.
    pub fn operate(&self, operation: &Operation) -> Result<Outcome, Fault> {
        if !matches!(self.mapping, Mapping::Full { .. }) {
            return operation.perform();
        }
        let order = Order::Operate(operation.clone());
        let helper = self.helper_for(&order, "work on files of a build")?;
        match helper.answer()? {
            Some(Answer::Operated(outcome)) => Ok(outcome),
            _ => Err(helper.lost()),
        }
    }

    /// A helper that has got its order, and the namespace to do it in.
    fn helper_for(&self, order: &Order, what: &'static str) -> Result<Helper, Fault> {
        let (process, control) = spawn(&self.setup, Stdio::null(), Stdio::null())?;
        let helper = Helper { process, control, what };
        let namespace = self.namespace.as_ref().map(|namespace| namespace.as_fd());
        let failed = |source| ExecError::Process { what, source };
        wire::send(&helper.control, order, &[], namespace).map_err(failed)?;
        Ok(helper)
    }
}

/// A helper that works on files. It ends when this is dropped.
struct Helper {
    process: Child,
    control: UnixStream,
    what: &'static str,
}

impl Helper {
    /// The next thing that it says, if it lives.
    fn answer(&self) -> Result<Option<Answer>, Fault> {
        let failed = |source| ExecError::Process { what: self.what, source };
        let answer = wire::receive::<Answer>(&self.control).map_err(failed)?;
        match answer.map(|frame| frame.value) {
            Some(Answer::Faulted(fault)) => Err(fault),
            Some(Answer::Failed(failure)) => Err(failure.into()),
            answer => Ok(answer),
        }
    }

    /// It ended, or answers something else.
    fn lost(&self) -> Fault {
        let what = format!("the process that had to {} has died", self.what);
        Fault::new(Kind::Internal, what).side(Side::Host).code("build.run-lost")
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.control.shutdown(Shutdown::Both);
        let _ = self.process.wait();
    }
}

/// Starts a helper, which waits for its order at the other end of the socket.
fn spawn(setup: &Setup, out: Stdio, err: Stdio) -> Result<(Child, UnixStream), ExecError> {
    let failed = |source| ExecError::Process { what: "start a helper", source };
    let (control, its) = UnixStream::pair().map_err(failed)?;
    #[expect(
        clippy::disallowed_methods,
        reason = "namespaces need a process with one thread: this program, started again"
    )]
    let mut command = Command::new(&setup.program);
    // Its environment is empty: what the runner's has for it, tokens included, is not the sandbox's.
    command.arg(HELPER).env_clear().stdin(OwnedFd::from(its)).stdout(out).stderr(err);
    let helper = command.spawn().map_err(failed)?;
    Ok((helper, control))
}
