//! The first process of a sandbox: mounts `/proc`, enters the root, gives up everything, and
//! becomes the command.
//!
//! It is this program once more, started by the helper in the new process namespace, since
//! starting is the one safe way to a new process. When it ends, the kernel ends the others there.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use report::Secret;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Access, Mode, OFlags, Uid};
use rustix::mount::{UnmountFlags, unmount};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::error::{At as _, Failure, Step};
use super::mount::{INERT, SEALED, Tree, is_directory, magic, place};
use super::order::{Answer, Start};
use super::stage::{Stage, existing, hide};
use super::user::User;
use super::{HELPER, privilege, user, wire};

/// The second argument of the first process.
pub(super) const FIRST: &str = "first";

/// What Docker hides, and what it makes read-only: the same lists as its default profile.
const HIDDEN: [&str; 10] = [
    "acpi",
    "asound",
    "interrupts",
    "kcore",
    "keys",
    "latency_stats",
    "sched_debug",
    "scsi",
    "timer_list",
    "timer_stats",
];
const READ_ONLY: [&str; 5] = ["bus", "fs", "irq", "sys", "sysrq-trigger"];

/// The first process, as its parent sees it. Killed with all that it has started when dropped.
pub(super) struct FirstProcess {
    child: Child,
    /// Stays good when the number of the process is used again.
    handle: OwnedFd,
    /// Its preparation is told and heard through this.
    pub(super) control: UnixStream,
}

impl FirstProcess {
    /// Starts it; it waits for [`Start`].
    pub(super) fn start(stage: &Stage) -> Result<Self, Failure> {
        let what = "cannot start the first process of the sandbox";
        let program = stage.program()?;
        let (control, its) = UnixStream::pair().at(Step::FirstProcess, what)?;
        #[expect(
            clippy::disallowed_methods,
            reason = "a new process in the new namespace can only be this program, started again"
        )]
        let mut command = Command::new(magic(&program));
        command.args([HELPER, FIRST]).env_clear().stdin(OwnedFd::from(its));
        let child = command.spawn().at(Step::FirstProcess, what)?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| Failure::new(Step::FirstProcess, what))?;
        let handle = pidfd_open(pid, PidfdFlags::empty()).at(Step::FirstProcess, what)?;
        Ok(Self { child, handle, control })
    }

    /// Readable when it has ended.
    pub(super) fn handle(&self) -> &OwnedFd {
        &self.handle
    }

    /// Ends it, and with it everything in its namespace.
    pub(super) fn kill(&self) {
        // It has ended already if this fails.
        let _ = pidfd_send_signal(&self.handle, Signal::KILL);
    }

    /// Waits for its end, which comes when everything in its namespace has ended.
    pub(super) fn wait(&mut self) -> io::Result<std::process::ExitStatus> {
        self.child.wait()
    }
}

impl Drop for FirstProcess {
    fn drop(&mut self) {
        self.kill();
        let _ = self.child.wait();
    }
}

/// Everything that the first process does.
pub(super) fn become_command() -> ExitCode {
    // The helper may die in between: see also `privilege`.
    let tied = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    let Ok(control) = io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from) else {
        return ExitCode::FAILURE;
    };
    let Ok(Some(frame)) = wire::receive::<Start>(&control) else {
        return ExitCode::FAILURE;
    };
    let result = tied
        .at(Step::FirstProcess, "cannot tie the command to us")
        .and_then(|()| run(frame.value, &frame.secrets, &control));
    let Err(failure) = result;
    let _ = wire::send(&control, &Answer::Failed(failure), &[], None);
    ExitCode::FAILURE
}

fn run(
    start: Start,
    secrets: &[Secret],
    control: &UnixStream,
) -> Result<std::convert::Infallible, Failure> {
    proc(&start.root)?;
    enter(&start.root)?;
    let user = user::find(&start.user, Path::new("/"))?;
    privilege::check(&user, start.rights)?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    directory(&start.directory)?;
    own_streams(&user)?;
    let mut environment = start.environment;
    if !environment.iter().any(|(name, _)| name == "HOME") {
        environment.push(("HOME".to_owned(), user.home.clone()));
    }
    rustix::process::setsid().at(Step::Privileges, "cannot leave the session")?;
    privilege::drop_to(&user, start.rights)?;
    has_parent(control)?;
    let program = find(&start.arguments, &environment)?;
    #[expect(
        clippy::disallowed_methods,
        reason = "the command of the user: RUN is what this is for; it replaces this process"
    )]
    let mut command = Command::new(&program);
    command.env_clear().envs(environment);
    for (name, secret) in start.secret_variables.iter().zip(secrets) {
        command.env(name, std::ffi::OsStr::from_bytes(secret.expose()));
    }
    command.args(start.arguments.iter().skip(1)).stdin(Stdio::null());
    if let Some(name) = start.arguments.first() {
        command.arg0(name);
    }
    privilege::scope(start.rights)?;
    privilege::filter()?;
    let error = command.exec();
    Err(error).at(Step::Command, format!("cannot run `{}`", program.display()))
}

/// Mounts `/proc` of this process namespace, with what Docker hides hidden.
fn proc(root: &Path) -> Result<(), Failure> {
    let what = "cannot mount /proc";
    let tree = Tree::new("proc", &[], INERT).at(Step::Proc, what)?;
    let target = root.join("proc");
    tree.attach(place(&target).at(Step::Proc, what)?).at(Step::Proc, what)?;
    let stage = root.parent().unwrap_or(root);
    for name in HIDDEN {
        let path = target.join(name);
        let what = || format!("cannot hide /proc/{name}");
        let Some(found) = existing(&path).at(Step::Proc, what())? else { continue };
        if is_directory(&found).at(Step::Proc, what())? {
            hide(stage, &path).at(Step::Proc, what())?;
        } else {
            let null = place(&root.join("dev/null")).at(Step::Proc, what())?;
            let null = Tree::copy(null).at(Step::Proc, what())?;
            null.attach(found).at(Step::Proc, what())?;
        }
    }
    for name in READ_ONLY {
        let what = || format!("cannot protect /proc/{name}");
        let Some(found) = existing(&target.join(name)).at(Step::Proc, what())? else { continue };
        let tree = Tree::copy(&found).at(Step::Proc, what())?;
        tree.attach(&found).at(Step::Proc, what())?;
        tree.restrict(SEALED).at(Step::Proc, what())?;
    }
    Ok(())
}

/// Makes `root` the root, and the machine's unreachable.
fn enter(root: &Path) -> Result<(), Failure> {
    let what = "cannot enter the file system of the image";
    rustix::process::chdir(root).at(Step::Root, what)?;
    // The old root lands on top of the new one, from where it is taken away.
    rustix::process::pivot_root(".", ".").at(Step::Root, what)?;
    unmount(".", UnmountFlags::DETACH).at(Step::Root, what)?;
    rustix::process::chdir("/").at(Step::Root, what)
}

/// Goes to the working directory, made if it is missing.
fn directory(path: &str) -> Result<(), Failure> {
    let path = match path {
        "" => Path::new("/"),
        path => Path::new(path),
    };
    let what = || format!("cannot work in `{}`", path.display());
    match rustix::process::chdir(path) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::NOENT) => {
            fs_err::create_dir_all(path).at(Step::Directory, what())?;
            rustix::process::chdir(path).at(Step::Directory, what())
        }
        Err(error) => Err(error).at(Step::Directory, what()),
    }
}

/// Lets the command open `/dev/stdout` and `/dev/stderr` again, whoever it runs as.
fn own_streams(user: &User) -> Result<(), Failure> {
    let uid = Some(Uid::from_raw(user.uid));
    for given in
        [rustix::fs::fchown(io::stdout(), uid, None), rustix::fs::fchown(io::stderr(), uid, None)]
    {
        given.at(Step::Privileges, "cannot give the output to the command")?;
    }
    // What was a socket to the helper must not be the command's.
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
    let null = null.at(Step::Privileges, "cannot open /dev/null")?;
    rustix::stdio::dup2_stdin(null).at(Step::Privileges, "cannot replace the input")
}

/// Fails if the helper has died before it could be tied to this process.
fn has_parent(control: &UnixStream) -> Result<(), Failure> {
    let mut watched = [PollFd::new(control, PollFlags::RDHUP)];
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    let ready =
        poll(&mut watched, Some(&now)).at(Step::FirstProcess, "cannot look for the helper")?;
    if ready > 0 {
        return Err(Failure::new(Step::FirstProcess, "the helper has died"));
    }
    Ok(())
}

/// Finds the program as a shell does.
fn find(arguments: &[String], environment: &[(String, String)]) -> Result<PathBuf, Failure> {
    let name = arguments.first().map(String::as_str).unwrap_or_default();
    if name.contains('/') {
        return Ok(PathBuf::from(name));
    }
    let path = environment.iter().rev().find(|(name, _)| name == "PATH");
    let path = path.map(|(_, value)| value.as_str()).unwrap_or_default();
    for folder in path.split(':').filter(|folder| !folder.is_empty()) {
        let candidate = Path::new(folder).join(name);
        let is_file = fs_err::metadata(&candidate).is_ok_and(|found| found.is_file());
        if is_file && rustix::fs::access(&candidate, Access::EXEC_OK).is_ok() {
            return Ok(candidate);
        }
    }
    let mut failure =
        Failure::new(Step::Command, format!("no `{name}` in PATH, which is `{path}`"));
    failure.errno = Some(rustix::io::Errno::NOENT.raw_os_error());
    Err(failure)
}
