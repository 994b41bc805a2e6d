//! What processes show of themselves while they run, and what they have said: kept for a [`Sweep`].

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::process::pause;
use crate::secrecy::Sweep;

/// What is known of all processes that were looked at. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Witness(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    /// What each has printed, on both streams, behind how it was called.
    said: Vec<String>,
    /// `/proc/PID/cmdline`, whole.
    arguments: BTreeSet<Vec<u8>>,
    /// Each `NAME=VALUE` of `/proc/PID/environ`.
    variables: BTreeSet<Vec<u8>>,
    /// `NAME=VALUE` as the test has set them.
    given: BTreeSet<Vec<u8>>,
    /// Journals of databases, which are gone when their process has ended.
    journals: BTreeSet<Vec<u8>>,
}

impl Witness {
    /// A variable that a test gives to its processes.
    pub(crate) fn give(&self, name: &OsString, value: &OsString) {
        let entry = [name.as_bytes(), b"=", value.as_bytes()].concat();
        self.seen().given.insert(entry);
    }

    /// What a process has printed.
    pub(crate) fn hear(&self, account: String) {
        self.seen().said.push(account);
    }

    /// Looks at the process `id` and those that it starts until it has ended, and at the journals in
    /// `state` meanwhile.
    pub(crate) fn watch(&self, id: u32, state: PathBuf) {
        // Before anything else: the shortest process is seen as well.
        let mut alive = self.look(id);
        let witness = self.clone();
        std::thread::spawn(move || {
            while alive {
                witness.look_at_journals(&state);
                pause();
                alive = witness.look(id);
            }
        });
    }

    /// Whether the process is still there.
    fn look(&self, id: u32) -> bool {
        let folder = PathBuf::from(format!("/proc/{id}"));
        let status = fs::read_to_string(folder.join("status")).unwrap_or_default();
        // One that has ended waits for being collected.
        if status.is_empty() || status.contains("State:\tZ") {
            return false;
        }
        let arguments = fs::read(folder.join("cmdline")).unwrap_or_default();
        let variables = fs::read(folder.join("environ")).unwrap_or_default();
        let mut seen = self.seen();
        seen.arguments.insert(arguments);
        seen.variables.extend(variables.split(|byte| *byte == 0).map(<[u8]>::to_vec));
        drop(seen);
        for thread in fs::read_dir(folder.join("task")).into_iter().flatten().flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
                self.look(child);
            }
        }
        true
    }

    fn look_at_journals(&self, state: &PathBuf) {
        for file in fs::read_dir(state).into_iter().flatten().flatten() {
            if file.file_name().as_bytes().ends_with(b"-wal")
                && let Ok(journal) = fs::read(file.path())
            {
                self.seen().journals.insert(journal);
            }
        }
    }

    /// What `sweep` finds in all of that. Of the environment, a variable that a test has given is left
    /// out, as long as it has the value that was given.
    ///
    /// # Panics
    /// Nothing was seen.
    pub(crate) fn find(&self, sweep: &Sweep) -> Vec<String> {
        let seen = self.seen();
        assert!(!seen.said.is_empty() && !seen.arguments.is_empty(), "nothing was seen");
        let mut found = Vec::new();
        let mut search = |place: &str, bytes: &[u8]| {
            found.extend(sweep.find_in(bytes).into_iter().map(|said| format!("{place}: {said}")));
        };
        for said in &seen.said {
            let (call, _) = said.split_once('\n').unwrap_or((said, ""));
            search(&format!("what `{call}` has printed"), said.as_bytes());
        }
        for arguments in &seen.arguments {
            search("arguments of a process", arguments);
        }
        for variable in seen.variables.difference(&seen.given) {
            search("the environment of a process", variable);
        }
        for journal in &seen.journals {
            search("the journal of a database", journal);
        }
        found
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::process::poll;

    #[test]
    fn arguments_variables_and_words_are_witnessed() {
        let value = "cargo-of-gold";
        let witness = Witness::default();
        witness.give(&"GIVEN".into(), &value.into());
        let folder = tempfile::tempdir().unwrap();
        let mut parent = Command::new("/bin/sh");
        parent.arg("-c").arg(format!("NOT_GIVEN={value} sleep 60 & sleep 60 {value} & wait"));
        parent.env("GIVEN", value).stdin(Stdio::null());
        // Ends with its children, whatever happens.
        std::os::unix::process::CommandExt::process_group(&mut parent, 0);
        let mut parent = parent.spawn().unwrap();
        fs::write(folder.path().join("runs.sqlite-wal"), value).unwrap();
        witness.watch(parent.id(), folder.path().to_owned());
        witness.hear(format!("windlass run\nwhat {value} was"));
        let sweep = Sweep::of([("gold".to_owned(), value.to_owned())]);
        let expected = [
            "arguments of a process: gold in plain",
            "the environment of a process: gold in plain",
            "the journal of a database: gold in plain",
            "what `windlass run` has printed: gold in plain",
        ];
        poll("what is to be seen", || {
            let mut found = witness.find(&sweep);
            found.sort();
            found.dedup();
            (found == expected).then_some(())
        });
        let group = nix::unistd::Pid::from_raw(-i32::try_from(parent.id()).unwrap());
        nix::sys::signal::kill(group, nix::sys::signal::Signal::SIGKILL).unwrap();
        parent.wait().unwrap();
    }
}
