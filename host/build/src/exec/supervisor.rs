//! The helper: this program in a process of its own, which makes the namespaces, starts the first
//! process in them and watches over it.
//!
//! It has one thread, as unsharing a user namespace demands. Its standard input is a socket to the
//! runner: when the other end closes, because a command is stopped or the runner has died, even by
//! `kill -9`, everything in the sandbox is killed. If the helper dies, the kernel kills the first
//! process, and the kernel kills the others when that one dies. Mounts end with the namespace.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::ExitCode;

use nix::sched::{CloneFlags, setns, unshare};
use report::Secret;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountPropagationFlags, mount_change};

use super::error::{At as _, Failure, Step};
use super::first::{self, FirstProcess};
use super::operation::Operation;
use super::order::{Answer, Order, Sandbox};
use super::run::Network;
use super::stage::Stage;
use super::{loopback, reading, wire};

/// What this program is as a helper: arguments are those behind [`HELPER`](super::HELPER).
///
/// To be called before anything else in `main`: with one thread, and without a runtime, a parser of
/// arguments or anything that takes time.
pub fn helper(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    match arguments.next().as_deref() {
        Some(argument) if argument == OsStr::new(first::FIRST) => first::become_command(),
        _ => supervise(),
    }
}

fn supervise() -> ExitCode {
    if close_strays().is_err() {
        return ExitCode::FAILURE;
    }
    let Ok(control) = io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from) else {
        return ExitCode::FAILURE;
    };
    let Ok(Some(frame)) = wire::receive::<Order>(&control) else {
        return ExitCode::FAILURE;
    };
    let done = match frame.value {
        Order::Namespace => namespace(&control).map(Some),
        Order::Run(sandbox) => run(&control, *sandbox, &frame.secrets, frame.file).map(Some),
        Order::Operate(operation) => operate(&control, operation, frame.file).map(|()| None),
        Order::Read(layers) => read(&control, layers, frame.file).map(|()| None),
    };
    let Some(answer) = done.unwrap_or_else(|failure| Some(Answer::Failed(failure))) else {
        return ExitCode::SUCCESS;
    };
    // Nobody is there to hear it if this fails.
    match wire::send(&control, &answer, &[], None) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Makes a user namespace and keeps it until it has been looked at.
fn namespace(control: &UnixStream) -> Result<Answer, Failure> {
    unshare(CloneFlags::CLONE_NEWUSER).at(Step::UserNamespace, "cannot make a user namespace")?;
    let told = wire::send(control, &Answer::Ready, &[], None);
    told.at(Step::UserNamespace, "cannot tell of the user namespace")?;
    let ended = wire::receive::<()>(control);
    ended.at(Step::UserNamespace, "cannot wait")?;
    Ok(Answer::Ready)
}

/// Does file work on a thread, and ends as soon as nobody wants it any more: a runner that was
/// killed must not leave someone behind who goes on writing.
fn operate(
    control: &UnixStream,
    operation: Operation,
    namespace: Option<OwnedFd>,
) -> Result<(), Failure> {
    become_root(namespace)?;
    let what = "cannot work on files";
    let answering = control.try_clone().at(Step::Request, what)?;
    let work = std::thread::Builder::new().spawn(move || {
        let answer = operation.perform().map_or_else(Answer::Faulted, Answer::Operated);
        // Whoever does not hear it has gone.
        let _ = wire::send(&answering, &answer, &[], None);
    });
    work.at(Step::Request, what)?;
    loop {
        match poll(&mut [PollFd::new(control, PollFlags::RDHUP)], None) {
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).at(Step::Request, what),
        }
    }
}

/// Answers questions about files.
fn read(
    control: &UnixStream,
    layers: Vec<PathBuf>,
    namespace: Option<OwnedFd>,
) -> Result<(), Failure> {
    become_root(namespace)?;
    reading::serve(control, layers).at(Step::Request, "cannot read files")
}

/// The root of the namespace, whom a signal to the runner's group does not reach: that is the
/// runner's to handle.
fn become_root(namespace: Option<OwnedFd>) -> Result<(), Failure> {
    rustix::process::setsid().at(Step::Request, "cannot leave the session")?;
    rustix::process::umask(Mode::empty());
    enter(namespace)
}

fn enter(namespace: Option<OwnedFd>) -> Result<(), Failure> {
    match namespace {
        Some(namespace) => setns(&namespace, CloneFlags::CLONE_NEWUSER)
            .at(Step::UserNamespace, "cannot enter the user namespace"),
        None => Ok(()),
    }
}

fn run(
    control: &UnixStream,
    sandbox: Sandbox,
    secrets: &[Secret],
    namespace: Option<OwnedFd>,
) -> Result<Answer, Failure> {
    become_root(namespace)?;
    isolate(&sandbox)?;
    let stage = Stage::new(&sandbox)?;
    let mut first = FirstProcess::start(&stage)?;
    // While that one starts.
    silence().at(Step::FirstProcess, "cannot leave the output to the command")?;
    if sandbox.start.rights.network == Network::None {
        loopback::up().at(Step::Loopback, "cannot bring the loopback device up")?;
    }
    let (root, points) = stage.build(&sandbox, secrets)?;
    let mut start = sandbox.start;
    start.root = root;
    let variables = secrets.len().saturating_sub(start.secret_variables.len());
    let variables: Vec<&Secret> = secrets.iter().skip(variables).collect();
    wire::send(&first.control, &start, &variables, None)
        .at(Step::FirstProcess, "cannot talk to the first process")?;
    let refused = watch(control, &first)?;
    first.kill();
    let status = first.wait().at(Step::FirstProcess, "cannot wait for the command")?;
    points.remove()?;
    match (refused, status.code(), status.signal()) {
        (Some(answer), _, _) => Ok(answer),
        (None, Some(code), _) => Ok(Answer::Exited(code)),
        (None, None, signal) => Ok(Answer::Signalled(signal.unwrap_or_default())),
    }
}

/// Namespaces of the sandbox's own. That of processes begins with the next one that is started.
fn isolate(sandbox: &Sandbox) -> Result<(), Failure> {
    let mut flags = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS;
    if sandbox.start.rights.network == Network::None {
        flags |= CloneFlags::CLONE_NEWNET;
    }
    unshare(flags).at(Step::Namespaces, "cannot make namespaces")?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .at(Step::Namespaces, "cannot keep mounts to ourselves")?;
    nix::unistd::sethostname(&sandbox.hostname).at(Step::Namespaces, "cannot set the host name")
}

/// Waits until the first process ends or the runner wants it to. Returns what it says before it
/// becomes the command.
fn watch(control: &UnixStream, first: &FirstProcess) -> Result<Option<Answer>, Failure> {
    let what = "cannot watch the command";
    let mut refused = None;
    let mut is_preparing = true;
    loop {
        let mut watched = vec![
            PollFd::new(control, PollFlags::IN | PollFlags::RDHUP),
            PollFd::new(first.handle(), PollFlags::IN),
        ];
        if is_preparing {
            watched.push(PollFd::new(&first.control, PollFlags::IN));
        }
        match poll(&mut watched, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).at(Step::FirstProcess, what),
        }
        let is_ready: Vec<bool> = watched.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(watched);
        if is_ready.get(2) == Some(&true) {
            is_preparing = false;
            // The end of the socket is the good case: the command has replaced the program.
            if let Ok(Some(frame)) = wire::receive::<Answer>(&first.control) {
                refused = Some(frame.value);
            }
        }
        if is_ready.first() == Some(&true) || is_ready.get(1) == Some(&true) {
            return Ok(refused);
        }
    }
}

/// Closes what the program that started the runner has left open and not marked: it would be open
/// in the sandbox too. Nothing of ours is open yet.
fn close_strays() -> io::Result<()> {
    let mut open = Vec::new();
    for entry in fs_err::read_dir("/proc/self/fd")? {
        let name = entry?.file_name();
        open.extend(name.to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    for number in open.into_iter().filter(|number| *number > 2) {
        // That of the listing is closed already.
        let _ = nix::unistd::close(number);
    }
    Ok(())
}

/// Leaves standard output and error to the first process alone, so that they end with it.
fn silence() -> io::Result<()> {
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(())
}
