//! The same tests as someone who is not root: this binary again, started by util-linux's setpriv.

use std::process::{Command, Stdio};

/// Nobody's: not in /etc/passwd.
const STRANGER: &str = "12345";

/// Who runs a test.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// A user without subordinate ids.
    Single,
    /// A user with subordinate ids.
    Mapped,
}

impl Who {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Mapped => "mapped",
        }
    }
}

/// Runs the test `name` of this binary as `who`.
pub(crate) fn run(who: Who, name: &str) {
    let binary = std::fs::File::open("/proc/self/exe").unwrap();
    let mut command = match who {
        Who::Single => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", STRANGER, "--regid", STRANGER, "--clear-groups"]);
            command
        }
        Who::Mapped => {
            // `nobody` gets ids in a mount namespace of the test's own.
            let lists = tempfile::tempdir().unwrap();
            let list = lists.path().join("subids");
            std::fs::write(&list, "nobody:200000:65536\n").unwrap();
            let script = "mount --bind \"$0\" /etc/subuid && mount --bind \"$0\" /etc/subgid && \
                          rm -r \"$1\" && shift && exec \"$@\"";
            let mut command = Command::new("unshare");
            command.args(["--mount", "sh", "-c", script]).arg(&list).arg(lists.keep());
            command.args(["setpriv", "--reuid", "nobody", "--regid", "65534", "--clear-groups"]);
            command
        }
    };
    // By an open file: the way to the binary may be closed to others.
    command.args(["/proc/self/fd/0", "--exact", name]).stdin(binary).stdout(Stdio::piped());
    command.current_dir("/").env("HOME", "/").stderr(Stdio::piped());
    let output = command.output().expect("setpriv and unshare are in util-linux");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
