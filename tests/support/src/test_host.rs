//! A world for one test: a folder, an environment, and the real binary in it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::output::Output;
use crate::process::Running;
use crate::redaction;

/// Where the binary runs. Nothing of the machine reaches it but programs and the loopback network:
/// the environment is empty but for what is set here, `HOME` is in the folder.
#[derive(Debug)]
pub struct TestHost {
    binary: PathBuf,
    folder: TempDir,
    environment: BTreeMap<OsString, OsString>,
}

impl TestHost {
    /// A new world for `binary`, which is `env!("CARGO_BIN_EXE_windlass")`.
    ///
    /// Its compile cache is `cache`: it may be shared between tests, as it may between runs.
    ///
    /// # Panics
    /// No temporary folder can be made.
    pub fn new(binary: impl Into<PathBuf>, cache: impl Into<PathBuf>) -> Self {
        let folder =
            TempDir::with_prefix("windlass-test-").expect("a temporary folder can be made");
        let host = Self { binary: binary.into(), folder, environment: BTreeMap::new() };
        let own = |name: &str| host.path(&format!(".home/{name}")).into_os_string();
        let environment = [
            ("HOME", host.path(".home").into_os_string()),
            ("PATH", "/usr/bin:/bin".into()),
            ("WINDLASS_CACHE_DIR", cache.into().into_os_string()),
            ("WINDLASS_STATE_DIR", own("state")),
            ("WINDLASS_SECRETS_DIR", own("secrets")),
        ];
        std::fs::create_dir(host.path(".home")).expect("the folder is ours");
        let environment = environment.map(|(name, value)| (name.into(), value)).into();
        Self { environment, ..host }
    }

    /// Writes a file of the world; missing folders are made.
    ///
    /// # Panics
    /// It cannot be written.
    #[must_use]
    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.write(name, content);
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// As [`Self::file`], between two runs.
    ///
    /// # Panics
    /// It cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        let above = path.parent().expect("the folder is above its files");
        std::fs::create_dir_all(above)
            .and_then(|()| std::fs::write(&path, content))
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    }

    /// The text of a file of the world.
    ///
    /// # Panics
    /// It cannot be read as text.
    pub fn read(&self, name: &str) -> String {
        let path = self.path(name);
        std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
    }

    /// The path of a file of the world.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What a pipeline writes to use a guest of the tests: `file:/…/NAME.wasm`.
    ///
    /// # Panics
    /// It is not built; the message says what to type.
    pub fn guest(name: &str) -> String {
        let path = repository_root().join(format!("target/guests/{name}.wasm"));
        assert!(path.is_file(), "{} is missing: run `cargo xtask plugins`", path.display());
        format!("file:{}", path.display())
    }

    /// Runs the binary to its end.
    ///
    /// # Panics
    /// It cannot be started, or does not end; the message holds all that it printed.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.run_with_input(arguments, b"")
    }

    /// As [`Self::run`], with a standard input.
    ///
    /// # Panics
    /// As [`Self::run`].
    pub fn run_with_input(&self, arguments: &[&str], stdin: &[u8]) -> Output {
        self.finish(self.spawn(arguments, stdin), arguments)
    }

    /// Starts the binary and lets it run.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn spawn(&self, arguments: &[&str], stdin: &[u8]) -> Running {
        let mut command = self.command(&self.binary);
        command.args(arguments);
        Running::start(command, stdin)
    }

    /// Waits for the end of what [`Self::spawn`] started.
    ///
    /// # Panics
    /// It does not end; the message holds all that it printed.
    pub fn finish(&self, running: Running, arguments: &[&str]) -> Output {
        let (status, stdout, stderr) = running.finish();
        let shown = format!("windlass {}", arguments.join(" "));
        // As a shell shows an end by a signal.
        let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
        let redactions = redaction::with_root(self.folder.path());
        Output { shown, code, stdout, stderr, redactions }
    }

    /// Runs the binary below a shell that first runs `setup`, such as `ulimit -f 64`.
    ///
    /// # Panics
    /// As [`Self::run`].
    pub fn run_below(&self, setup: &str, arguments: &[&str]) -> Output {
        self.finish(self.spawn_below(setup, arguments), arguments)
    }

    /// As [`Self::run_below`], and lets it run.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn spawn_below(&self, setup: &str, arguments: &[&str]) -> Running {
        let mut command = self.command(Path::new("/bin/sh"));
        let script = format!("{setup}; exec \"$0\" \"$@\"");
        command.arg("-c").arg(script).arg(&self.binary).args(arguments);
        Running::start(command, b"")
    }

    /// Runs another program in this world; its last argument is the path of the binary.
    ///
    /// # Panics
    /// As [`Self::run`].
    pub fn run_beside(&self, arguments: &[&str]) -> Output {
        let (program, rest) = arguments.split_first().expect("a command has a first word");
        let mut command = self.command(Path::new(program));
        command.args(rest).arg(&self.binary);
        self.finish(Running::start(command, b""), arguments)
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path()).env_clear().envs(&self.environment);
        command
    }
}

/// The top of the clone.
///
/// # Panics
/// This package does not lie two folders below it.
pub fn repository_root() -> &'static Path {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().and_then(Path::parent);
    root.expect("this package lies in tests/support")
}
