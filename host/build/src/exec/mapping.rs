//! Which users and groups a sandbox has.
//!
//! Root has all. Everyone else gets them from a user namespace: its root is who builds, and the
//! others are the subordinate ids of /etc/subuid and /etc/subgid, which only the set-uid programs
//! newuidmap and newgidmap may map. Without those there is root alone. The namespace is made once
//! and kept open; every command enters it.
//!
//! Source: user_namespaces(7); subuid(5).

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::thread::CapabilitySet;

use super::error::{At as _, ExecError, Failure, Step};
use super::order::{Answer, Order};
use super::{Setup, spawn, wire};

/// Where users and their subordinate ids are listed.
const PASSWD: &str = "/etc/passwd";
const SUBUID: &str = "/etc/subuid";
const SUBGID: &str = "/etc/subgid";

/// How a build gets more users than root.
pub(super) const MORE_IDS: &str = "to have all users of an image, install newuidmap and newgidmap (Debian: `apt-get install \
     uidmap`) and run `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 NAME` as \
     root, with the name of who builds; or build as root";

/// Which users and groups the commands of an [`Executor`](super::Executor) have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mapping {
    /// All: we are root.
    Root,
    /// Those from 0 to `ids` - 1, which are others outside.
    Full {
        /// How many.
        ids: u32,
        /// The user and the group outside that are 1 inside. Files of one map are not those of
        /// another.
        first: (u32, u32),
    },
    /// Only root, which is who builds. Files cannot be given to others, commands cannot be run as
    /// others, and package managers that change to a user of their own must be told not to.
    Single {
        /// Why there are not more.
        why: String,
    },
}

impl Mapping {
    /// How many users and groups there are, from 0.
    pub fn ids(&self) -> u32 {
        match self {
            Self::Root => u32::MAX,
            Self::Full { ids, .. } => *ids,
            Self::Single { .. } => 1,
        }
    }

    /// Whether a file can belong to this user or group, and a command can run as it.
    pub fn has(&self, id: u32) -> bool {
        id < self.ids()
    }

    /// What to say to who builds when a command fails: what is forbidden, why, and how to allow it.
    pub fn advice(&self) -> Option<String> {
        let Self::Single { why } = self else { return None };
        Some(format!(
            "commands have one user, root, because {why}: `chown`, `USER` and apt's own user fail; \
             {MORE_IDS}"
        ))
    }
}

/// Finds out what we may do, and makes the namespace if there has to be one.
pub(super) fn find(setup: &Setup) -> Result<(Mapping, Option<OwnedFd>), ExecError> {
    let capabilities = rustix::thread::capabilities(None).map_err(|error| ExecError::Process {
        what: "look at our capabilities",
        source: error.into(),
    })?;
    let can = |wanted| capabilities.effective.contains(wanted);
    if rustix::process::geteuid().is_root() && can(CapabilitySet::SYS_ADMIN) {
        return Ok((Mapping::Root, None));
    }
    if can(CapabilitySet::SETUID | CapabilitySet::SETGID) {
        // Root of a container that may not mount: it may give away every id that it has.
        let (ids, text) = all_ids().at(Step::UserNamespace, "cannot read our own ids")?;
        let namespace = Namespace::make(setup)?;
        namespace.write("uid_map", &text)?;
        namespace.write("gid_map", &text)?;
        return Ok((Mapping::Full { ids, first: (1, 1) }, Some(namespace.keep()?)));
    }
    let why = match subordinate(setup) {
        Ok(ranges) => {
            let namespace = Namespace::make(setup)?;
            match namespace.map(&ranges) {
                Ok(ids) => {
                    let first = (ranges.uids.start, ranges.gids.start);
                    return Ok((Mapping::Full { ids, first }, Some(namespace.keep()?)));
                }
                Err(why) => why,
            }
        }
        Err(why) => why,
    };
    let namespace = Namespace::make(setup)?;
    let uid = rustix::process::geteuid().as_raw();
    let gid = rustix::process::getegid().as_raw();
    namespace.write("setgroups", "deny")?;
    namespace.write("uid_map", &format!("0 {uid} 1\n"))?;
    namespace.write("gid_map", &format!("0 {gid} 1\n"))?;
    Ok((Mapping::Single { why }, Some(namespace.keep()?)))
}

/// A range of ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    start: u32,
    count: u32,
}

/// What we may map besides ourselves.
struct Ranges {
    newuidmap: PathBuf,
    newgidmap: PathBuf,
    uids: Range,
    gids: Range,
}

/// The subordinate ids of who we are, or why there are none.
fn subordinate(setup: &Setup) -> Result<Ranges, String> {
    let missing = |name: &str| format!("{name} is not installed");
    let newuidmap = setup.newuidmap.clone().ok_or_else(|| missing("newuidmap"))?;
    let newgidmap = setup.newgidmap.clone().ok_or_else(|| missing("newgidmap"))?;
    let read = |path: &str| fs_err::read_to_string(path).unwrap_or_default();
    let uid = rustix::process::geteuid().as_raw();
    let passwd = read(PASSWD);
    let name = name(&passwd, uid);
    let range = |file: &str| {
        range(&read(file), name, uid)
            .ok_or_else(|| format!("{file} has no range for `{}`", name.unwrap_or("this user")))
    };
    Ok(Ranges { newuidmap, newgidmap, uids: range(SUBUID)?, gids: range(SUBGID)? })
}

/// The name of a user in `/etc/passwd`.
fn name(passwd: &str, uid: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

/// The first range of a user, by name or number.
fn range(text: &str, name: Option<&str>, uid: u32) -> Option<Range> {
    text.lines().find_map(|line| {
        let mut fields = line.trim().split(':');
        let who = fields.next()?;
        let range =
            Range { start: fields.next()?.parse().ok()?, count: fields.next()?.parse().ok()? };
        let is_ours = Some(who) == name || who.parse() == Ok(uid);
        (is_ours && range.count > 0).then_some(range)
    })
}

/// How many ids we have, from 0, and the map that gives away all of them as they are.
fn all_ids() -> io::Result<(u32, String)> {
    let own = fs_err::read_to_string("/proc/self/uid_map")?;
    Ok(identity(&own))
}

fn identity(own: &str) -> (u32, String) {
    let mut ids = 0;
    let mut text = String::new();
    for line in own.lines() {
        let mut fields = line.split_whitespace();
        let inside: Option<u32> = fields.next().and_then(|field| field.parse().ok());
        let count: Option<u32> = fields.nth(1).and_then(|field| field.parse().ok());
        let (Some(inside), Some(count)) = (inside, count) else { continue };
        text = format!("{text}{inside} {inside} {count}\n");
        if inside == ids {
            ids += count;
        }
    }
    (ids, text)
}

/// A process that has made a user namespace and does nothing more.
struct Namespace {
    helper: Child,
    control: std::os::unix::net::UnixStream,
}

impl Namespace {
    fn make(setup: &Setup) -> Result<Self, ExecError> {
        let (helper, control) = spawn(setup, Stdio::null(), Stdio::null())?;
        let made = Self { helper, control };
        let failed = |source| ExecError::Process { what: "make a user namespace", source };
        wire::send(&made.control, &Order::Namespace, &[], None).map_err(failed)?;
        match wire::receive::<Answer>(&made.control).map_err(failed)?.map(|frame| frame.value) {
            Some(Answer::Ready) => Ok(made),
            Some(Answer::Failed(failure)) => Err(failure.into()),
            _ => Err(ExecError::Lost("it made no user namespace".to_owned())),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        Path::new("/proc").join(self.helper.id().to_string()).join(name)
    }

    /// Writes a map, which the kernel takes in one piece or not at all.
    fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        let what = || format!("cannot write {name} of a user namespace");
        let file =
            rustix::fs::open(self.file(name), OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty());
        let file = file.at(Step::UserNamespace, what())?;
        let written = rustix::io::write(&file, text.as_bytes()).at(Step::UserNamespace, what())?;
        if written == text.len() {
            return Ok(());
        }
        Err(Failure::new(Step::UserNamespace, what()))
    }

    /// Maps root to ourselves and the rest to our subordinate ids.
    fn map(&self, ranges: &Ranges) -> Result<u32, String> {
        let map = |program: &Path, own: u32, range: Range| {
            #[expect(
                clippy::disallowed_methods,
                reason = "only these set-uid programs may map subordinate ids"
            )]
            let mut command = Command::new(program);
            command.arg(self.helper.id().to_string());
            for number in [0, own, 1, 1, range.start, range.count] {
                command.arg(number.to_string());
            }
            command.env_clear().stdin(Stdio::null());
            let output = command.output().map_err(|error| error.to_string())?;
            if output.status.success() {
                return Ok(());
            }
            let text = String::from_utf8_lossy(&output.stderr);
            Err(text.lines().next().map_or_else(|| output.status.to_string(), str::to_owned))
        };
        map(&ranges.newuidmap, rustix::process::geteuid().as_raw(), ranges.uids)?;
        map(&ranges.newgidmap, rustix::process::getegid().as_raw(), ranges.gids)?;
        Ok(ranges.uids.count.min(ranges.gids.count).saturating_add(1))
    }

    /// The namespace, which stays while it is open.
    fn keep(self) -> Result<OwnedFd, Failure> {
        let file = fs_err::File::open(self.file("ns/user"));
        let file = file.at(Step::UserNamespace, "cannot open a user namespace")?;
        file.as_fd().try_clone_to_owned().at(Step::UserNamespace, "cannot keep a user namespace")
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.control.shutdown(std::net::Shutdown::Both);
        let _ = self.helper.wait();
    }
}

#[cfg(test)]
mod tests;
