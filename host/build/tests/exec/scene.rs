//! An executor, and directories for one command after the other.

use std::cell::Cell;
use std::io::Read as _;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use build::exec::{
    Access, ExecError, Executor, Exit, Mapping, Mount, MountKind, Network, Operation, Run, Setup,
    Stream,
};
use tempfile::TempDir;

/// `PATH` of the commands.
pub(crate) const PATH: &str = "/bin";

/// What the tests use of busybox.
const APPLETS: &[&str] = &[
    "sh", "cat", "chmod", "chown", "chroot", "cp", "cut", "date", "dd", "df", "echo", "env",
    "find", "grep", "head", "hostname", "id", "ip", "kill", "ln", "ls", "md5sum", "mkdir", "mknod",
    "mount", "mv", "nc", "ping", "ps", "pwd", "readlink", "rm", "rmdir", "seq", "sed", "setsid",
    "sleep", "sort", "stat", "tail", "tee", "test", "touch", "tr", "true", "umount", "uname", "wc",
    "wget", "xargs", "yes",
];

/// Directories of an image, and who runs commands over it.
pub(crate) struct Scene {
    pub(crate) executor: Executor,
    base: PathBuf,
    directory: TempDir,
    runs: Cell<u32>,
}

/// How a command went.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) exit: Exit,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let scene = Self::empty(&disk(), None);
        scene.furnish();
        scene
    }

    /// One whose lowest snapshot is that of another scene, which removes it if it cannot.
    pub(crate) fn over(base: &Path) -> Self {
        Self::empty(base.parent().unwrap(), Some(base.to_owned()))
    }

    fn empty(folder: &Path, base: Option<PathBuf>) -> Self {
        let directory = tempfile::Builder::new().prefix("exec").tempdir_in(folder).unwrap();
        std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let program = |name: &str| {
            let path = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
        };
        let setup = Setup {
            program: PathBuf::from("/proc/self/exe"),
            newuidmap: program("newuidmap"),
            newgidmap: program("newgidmap"),
        };
        let executor = Executor::new(setup).unwrap();
        Self {
            executor,
            base: base.unwrap_or(directory.path().join("base")),
            directory,
            runs: Cell::new(0),
        }
    }

    /// Makes the lowest snapshot.
    fn furnish(&self) {
        let base = self.base();
        let bin = base.join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::copy(busybox(), bin.join("busybox")).unwrap();
        std::fs::set_permissions(bin.join("busybox"), PermissionsExt::from_mode(0o755)).unwrap();
        for applet in APPLETS {
            symlink("busybox", bin.join(applet)).unwrap();
        }
        std::fs::create_dir_all(base.join("etc")).unwrap();
        let passwd = "root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n";
        std::fs::write(base.join("etc/passwd"), passwd).unwrap();
        std::fs::write(base.join("etc/group"), "root:x:0:\napp:x:1000:\nwheel:x:10:app\n").unwrap();
        for name in ["tmp", "root"] {
            std::fs::create_dir(base.join(name)).unwrap();
        }
    }

    /// The lowest snapshot.
    pub(crate) fn base(&self) -> PathBuf {
        self.base.clone()
    }

    /// A path of the scene's.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A new directory.
    pub(crate) fn directory(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir(&path).unwrap();
        path
    }

    pub(crate) fn mapping(&self) -> &Mapping {
        self.executor.mapping()
    }

    /// A shell script over the lowest snapshot, with directories of its own.
    pub(crate) fn script(&self, script: &str) -> Run {
        let number = self.runs.replace(self.runs.get() + 1);
        let directory = |kind: &str| self.directory(&format!("{number}-{kind}"));
        let strings = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        Run {
            lower: vec![self.base()],
            upper: directory("upper"),
            work: directory("work"),
            scratch: directory("scratch"),
            hostname: "sandbox".to_owned(),
            network: Network::None,
            hosts: b"127.0.0.1 localhost\n".to_vec(),
            resolv_conf: None,
            mounts: Vec::new(),
            user: String::new(),
            directory: "/".to_owned(),
            environment: vec![("PATH".to_owned(), PATH.to_owned())],
            arguments: strings(&["/bin/sh", "-c", script]),
        }
    }

    /// Runs to the end.
    pub(crate) fn run(&self, run: &Run) -> Result<Outcome, ExecError> {
        let (mut out, mut err) = (String::new(), String::new());
        let exit = self.executor.start(run)?.wait(&mut |stream, line| {
            let text = match stream {
                Stream::Out => &mut out,
                Stream::Err => &mut err,
            };
            text.push_str(&String::from_utf8_lossy(line));
            text.push('\n');
        })?;
        Ok(Outcome { exit, out, err })
    }

    /// What a script that succeeds prints.
    pub(crate) fn output(&self, script: &str) -> String {
        self.output_of(&self.script(script))
    }

    /// What a command that succeeds prints.
    pub(crate) fn output_of(&self, run: &Run) -> String {
        let outcome = self.run(run).unwrap();
        assert_eq!((outcome.exit, outcome.err.as_str()), (Exit::Code(0), ""), "{}", outcome.out);
        outcome.out
    }

    /// Everything in a directory that commands have written to: kind, mode and path.
    pub(crate) fn list(&self, directory: &Path) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![directory.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                let metadata = entry.metadata().unwrap();
                let path = entry.path();
                let name = path.strip_prefix(directory).unwrap().display().to_string();
                found.push(format!("{:o} {name}", metadata.permissions().mode()));
                if metadata.is_dir() {
                    folders.push(path);
                }
            }
        }
        found.sort_by(|a, b| a.split(' ').nth(1).cmp(&b.split(' ').nth(1)));
        found
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // Some of it may belong to users that only a namespace has.
        for entry in std::fs::read_dir(self.directory.path()).unwrap().flatten() {
            let removed = self.executor.operate(&Operation::Remove { path: entry.path() });
            if !std::thread::panicking() {
                removed.unwrap();
            }
        }
    }
}

/// A bind mount of the directory `source`.
pub(crate) fn bind(source: &Path, target: &str, access: Access) -> Mount {
    let kind = MountKind::Bind { source: vec![source.to_owned()], path: String::new(), access };
    Mount { target: target.to_owned(), kind }
}

/// A folder that overlays can lie in: not in another overlay, as /tmp of a container is.
fn disk() -> PathBuf {
    const OVERLAY: i64 = 0x794c_7630;
    let folders = [std::env::temp_dir(), PathBuf::from("/var/tmp"), PathBuf::from("/dev/shm")];
    let fits = |folder: &PathBuf| {
        let kind = rustix::fs::statfs(folder).map(|found| found.f_type);
        kind.is_ok_and(|kind| kind != OVERLAY)
            && rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok()
    };
    folders.into_iter().find(fits).expect("a folder that is not on an overlay: set TMPDIR")
}

/// The static busybox.
fn busybox() -> PathBuf {
    let unpacked = std::env::var_os("WINDLASS_TEST_TOOLS").map(PathBuf::from).unwrap_or_default();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = ["../root/usr/bin", "../root/bin", "usr/bin", "bin"]
        .iter()
        .map(|folder| unpacked.join(folder))
        .chain(std::env::split_paths(&path));
    let is_program = |file: &PathBuf| {
        let mut magic = [0; 4];
        let read = std::fs::File::open(file).and_then(|mut file| file.read_exact(&mut magic));
        read.is_ok() && &magic == b"\x7fELF"
    };
    folders.map(|folder| folder.join("busybox")).find(is_program).expect(
        "busybox-static is missing: run `cargo xtask test`, which fetches it, or `apt-get install \
         --no-install-recommends busybox-static`",
    )
}
