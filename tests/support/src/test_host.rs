//! A world for one test: a folder, an environment, and the real binary in it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use tempfile::TempDir;

use crate::output::Output;
use crate::process::Running;
use crate::redaction;
use crate::secrecy::Sweep;
use crate::witness::Witness;

/// Where the binary runs. Nothing of the machine reaches it but programs and the loopback network:
/// the environment is empty but for what is set here, `HOME` is in the folder.
#[derive(Debug)]
pub struct TestHost {
    binary: PathBuf,
    folder: TempDir,
    environment: BTreeMap<OsString, OsString>,
    witness: Option<Witness>,
    since: SystemTime,
    /// What is done with the world when its test is over and has not failed.
    at_end: Option<fn(&Self)>,
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
        let home = folder.path().join(".home");
        let own = |name: &str| home.join(name).into_os_string();
        let environment = [
            ("HOME", home.clone().into_os_string()),
            ("PATH", "/usr/bin:/bin".into()),
            ("WINDLASS_CACHE_DIR", cache.into().into_os_string()),
            ("WINDLASS_STATE_DIR", own("state")),
            ("WINDLASS_SECRETS_DIR", own("secrets")),
        ];
        std::fs::create_dir(&home).expect("the folder is ours");
        let environment = environment.map(|(name, value)| (name.into(), value)).into();
        Self {
            binary: binary.into(),
            folder,
            environment,
            witness: None,
            since: SystemTime::now(),
            at_end: None,
        }
    }

    /// From now on all that is printed, and all that processes show of themselves while they run, is
    /// kept for [`Self::sweep`]; `at_end` looks at the world when its test is over and has not failed.
    /// Temporary files lie in the world.
    ///
    /// # Panics
    /// The folder for them cannot be made.
    #[must_use]
    pub fn witnessed(mut self, at_end: fn(&Self)) -> Self {
        let temporary = self.path(".home/tmp");
        std::fs::create_dir_all(&temporary).expect("the folder is ours");
        let witness = Witness::default();
        self.environment.iter().for_each(|(name, value)| witness.give(name, value));
        self.witness = Some(witness);
        self.at_end = Some(at_end);
        self.env("TMPDIR", temporary)
    }

    /// Where `sweep` finds something: in what was printed, in the arguments and the environments of
    /// processes (but for the variables that a test has set), in journals of databases, in the world,
    /// and in what is new in the cache. What lies below `except` in the world is left out.
    ///
    /// # Panics
    /// The world was not [`Self::witnessed`], or nothing has run in it.
    pub fn sweep(&self, sweep: &Sweep, except: &[&str]) -> Vec<String> {
        let witness = self.witness.as_ref().expect("the world is witnessed");
        let mut found = witness.find(sweep);
        let except: Vec<PathBuf> = except.iter().map(|name| self.path(name)).collect();
        found.extend(sweep.find_below(self.folder.path(), &except, None));
        if let Some(cache) = self.environment.get(&OsString::from("WINDLASS_CACHE_DIR")) {
            found.extend(sweep.find_below(Path::new(cache), &[], Some(self.since)));
        }
        found
    }

    /// The variables that processes are given.
    pub fn variables(&self) -> impl Iterator<Item = (String, String)> {
        let text = |text: &OsString| text.to_string_lossy().into_owned();
        self.environment.iter().map(move |(name, value)| (text(name), text(value)))
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
        let (name, value) = (name.into(), value.into());
        if let Some(witness) = &self.witness {
            witness.give(&name, &value);
        }
        self.environment.insert(name, value);
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
        self.start(command, stdin)
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
        let output = Output { shown, code, stdout, stderr, redactions };
        if let Some(witness) = &self.witness {
            witness.hear(output.account());
        }
        output
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
        self.start(command, b"")
    }

    /// Runs another program in this world; its last argument is the path of the binary.
    ///
    /// # Panics
    /// As [`Self::run`].
    pub fn run_beside(&self, arguments: &[&str]) -> Output {
        let (program, rest) = arguments.split_first().expect("a command has a first word");
        let mut command = self.command(Path::new(program));
        command.args(rest).arg(&self.binary);
        self.finish(self.start(command, b""), arguments)
    }

    fn start(&self, command: Command, stdin: &[u8]) -> Running {
        let running = Running::start(command, stdin);
        if let Some(witness) = &self.witness {
            witness.watch(running.id(), self.path(".home/state"));
        }
        running
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path()).env_clear().envs(&self.environment);
        command
    }
}

impl Drop for TestHost {
    fn drop(&mut self) {
        if let Some(look) = self.at_end.take()
            && !std::thread::panicking()
        {
            look(self);
        }
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
