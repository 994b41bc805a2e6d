//! Commands that want out, or more than they were given.
//!
//! The attacker is this binary, shown to the sandbox with the libraries of the machine.

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::{PermissionsExt, chroot};
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::Path;
use std::process::ExitCode;

use build::exec::{Access, Exit, Mapping, Mount, MountKind, Network, Run};
use nix::sched::{CloneFlags, setns, unshare};
use rustix::fs::{CWD, FileType, Mode, OFlags, makedev, mknodat, open};
use rustix::mount::{FsOpenFlags, MountFlags, UnmountFlags};
use rustix::net::{AddressFamily, SocketType};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, Signal};

use crate::Test;
use crate::scene::{Scene, bind};

/// The argument that makes this binary an attacker.
pub(crate) const ROLE: &str = "attacker";
/// The script whose interpreter is whatever the process was before it became the script.
pub(crate) const SCRIPT: &str = "/script";

pub(crate) const TESTS: &[Test] = &[
    ("the_kernel_refuses_what_it_refuses_in_docker", the_kernel_refuses_what_it_refuses_in_docker),
    ("device_nodes_cannot_be_opened", device_nodes_cannot_be_opened),
    ("the_kernel_s_files_cannot_be_written", the_kernel_s_files_cannot_be_written),
    ("the_machine_cannot_be_seen", the_machine_cannot_be_seen),
    ("our_program_cannot_be_written", our_program_cannot_be_written),
    ("an_own_network_reaches_nothing", an_own_network_reaches_nothing),
    ("the_network_of_the_machine_is_a_grant", the_network_of_the_machine_is_a_grant),
    (
        "the_environment_of_the_runner_is_not_inherited",
        the_environment_of_the_runner_is_not_inherited,
    ),
];

/// A run of the attacker.
fn attacker(scene: &Scene, attack: &str) -> Run {
    let program = scene.path("attacker");
    if !program.exists() {
        std::fs::copy("/proc/self/exe", &program).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    }
    let mut run = scene.script("");
    run.arguments = vec!["/attacker".to_owned(), ROLE.to_owned(), attack.to_owned()];
    run.mounts = vec![file(scene, "attacker", "/attacker")];
    for folder in ["lib", "lib64", "usr/lib", "usr/lib64"] {
        if Path::new("/").join(folder).exists() {
            let mut mount = bind(Path::new("/"), &format!("/{folder}"), Access::Read);
            if let MountKind::Bind { path, .. } = &mut mount.kind {
                *path = folder.to_owned();
            }
            run.mounts.push(mount);
        }
    }
    run
}

fn file(scene: &Scene, name: &str, target: &str) -> Mount {
    let mut mount = bind(scene.path(name).parent().unwrap(), target, Access::Read);
    if let MountKind::Bind { path, .. } = &mut mount.kind {
        *path = name.to_owned();
    }
    mount
}

/// Plays the attacker: tries one thing after the other, and prints what came of it.
pub(crate) fn play(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let attack = arguments.next().unwrap_or_default();
    let name = arguments.next().unwrap_or_default();
    let lines = match attack.to_str() {
        Some("calls") => calls(),
        Some("devices") => devices(),
        Some("files") => kernel_files(),
        Some("outside") => outside(),
        Some("sockets") => sockets(name.to_str().unwrap()),
        other => vec![format!("{other:?}")],
    };
    let mut out = std::io::stdout();
    for line in lines {
        writeln!(out, "{line}").unwrap();
    }
    ExitCode::SUCCESS
}

/// How it went, in one word.
fn went<T>(what: &str, result: Result<T, impl Into<std::io::Error>>) -> String {
    match result {
        Ok(_) => format!("{what} done"),
        Err(error) => {
            let error: std::io::Error = error.into();
            let errno = nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or_default());
            format!("{what} {errno:?}")
        }
    }
}

fn calls() -> Vec<String> {
    let own = |name: &str| std::fs::File::open(format!("/proc/self/ns/{name}")).unwrap();
    let pidfd = rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty());
    let raise = rustix::process::Rlimit { current: None, maximum: None };
    let all = rustix::thread::CapabilitySets {
        effective: rustix::thread::CapabilitySet::all(),
        permitted: rustix::thread::CapabilitySet::all(),
        inheritable: rustix::thread::CapabilitySet::all(),
    };
    vec![
        went("mount", rustix::mount::mount("none", "/tmp", "tmpfs", MountFlags::empty(), c"")),
        went("remount", rustix::mount::mount_remount("/proc/sys", MountFlags::BIND, "")),
        went("umount", rustix::mount::unmount("/proc/sys", UnmountFlags::DETACH)),
        went("fsopen", rustix::mount::fsopen("tmpfs", FsOpenFlags::empty())),
        went("pivot_root", rustix::process::pivot_root("/tmp", "/tmp")),
        went("user namespace", unshare(CloneFlags::CLONE_NEWUSER)),
        went("mount namespace", unshare(CloneFlags::CLONE_NEWNS)),
        went("setns", setns(own("net"), CloneFlags::CLONE_NEWNET)),
        went("sethostname", nix::unistd::sethostname("other")),
        went(
            "pidfd_getfd",
            rustix::process::pidfd_getfd(pidfd.unwrap(), 0, PidfdGetfdFlags::empty()),
        ),
        went("rlimit", rustix::process::setrlimit(rustix::process::Resource::Nofile, raise)),
        went("capabilities", rustix::thread::set_capabilities(None, all)),
    ]
}

fn the_kernel_refuses_what_it_refuses_in_docker(scene: &Scene) {
    let run = attacker(scene, "calls");
    let expected = "mount EPERM\nremount EPERM\numount EPERM\nfsopen EPERM\npivot_root EPERM\n\
        user namespace EPERM\nmount namespace EPERM\nsetns EPERM\nsethostname EPERM\n\
        pidfd_getfd EPERM\nrlimit EPERM\ncapabilities EPERM\n";
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    let expected = match limit {
        // There is nothing to raise.
        None => expected.replace("rlimit EPERM", "rlimit done"),
        Some(_) => expected.to_owned(),
    };
    assert_eq!(scene.output_of(&run), expected);
}

fn devices() -> Vec<String> {
    let mut lines = Vec::new();
    for folder in ["", "/dev", "/dev/shm", "/tmp", "/cache", "/memory", "/written"] {
        let path = format!("{folder}/node");
        let mode = Mode::from_raw_mode(0o600);
        // `/dev/mem` is as good as any: what counts is that it would be a device.
        let made = mknodat(CWD, &path, FileType::CharacterDevice, mode, makedev(1, 5));
        let is_made = made.is_ok();
        lines.push(went(&format!("mknod {path}"), made));
        if is_made {
            lines.push(went("open", open(&path, OFlags::RDONLY, Mode::empty())));
        }
    }
    for name in ["null", "zero", "full", "random", "urandom"] {
        lines.push(went(name, open(format!("/dev/{name}"), OFlags::RDWR, Mode::empty())));
    }
    let mode = Mode::from_raw_mode(0o600);
    lines.push(went("chmod", rustix::fs::chmod("/dev/null", mode)));
    lines
}

fn device_nodes_cannot_be_opened(scene: &Scene) {
    let mode = |path: &str| std::fs::metadata(path).unwrap().permissions().mode();
    let before = mode("/dev/null");
    let mut run = attacker(scene, "devices");
    let source = scene.directory("source");
    run.mounts.extend([
        Mount {
            target: "/cache".to_owned(),
            kind: MountKind::Cache {
                directory: scene.path("cache"),
                mode: 0o755,
                uid: 0,
                gid: 0,
                access: Access::Write,
            },
        },
        Mount { target: "/memory".to_owned(), kind: MountKind::Tmpfs { size: None } },
        bind(&source, "/written", Access::Write),
    ]);
    let tried = |folder: &&str| match scene.mapping() {
        Mapping::Root => format!("mknod {folder}/node done\nopen EACCES\n"),
        Mapping::Full { .. } | Mapping::Single { .. } => format!("mknod {folder}/node EPERM\n"),
    };
    let folders = ["", "/dev", "/dev/shm", "/tmp", "/cache", "/memory", "/written"];
    let mut expected: String = folders.iter().map(tried).collect();
    expected += "null done\nzero done\nfull done\nrandom done\nurandom done\n";
    expected += match scene.mapping() {
        // It is the sandbox's own.
        Mapping::Root => "chmod done\n",
        Mapping::Full { .. } | Mapping::Single { .. } => "chmod EPERM\n",
    };
    assert_eq!(scene.output_of(&run), expected);
    assert_eq!(mode("/dev/null"), before);
}

fn kernel_files() -> Vec<String> {
    let write =
        |path: &str| went(path, open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()));
    let mut lines: Vec<String> = [
        "/proc/sysrq-trigger",
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/vm/drop_caches",
        "/proc/irq/default_smp_affinity",
        "/sys/kernel/mm/transparent_hugepage/enabled",
        "/sys/power/state",
    ]
    .into_iter()
    .filter(|path| Path::new(path).exists())
    .map(write)
    .collect();
    for path in ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/interrupts"] {
        let size = std::fs::read(path).map(|bytes| bytes.len()).unwrap_or_default();
        lines.push(format!("{path} {size}"));
    }
    let count = |path: &str| std::fs::read_dir(path).map_or(0, Iterator::count);
    for path in ["/proc/acpi", "/proc/scsi", "/sys/firmware", "/sys/fs/cgroup"] {
        lines.push(format!("{path} {}", count(path)));
    }
    lines
}

fn the_kernel_s_files_cannot_be_written(scene: &Scene) {
    for network in [Network::None, Network::Host] {
        let mut run = attacker(scene, "files");
        run.network = network;
        let out = scene.output_of(&run);
        for line in out.lines().filter(|line| !line.ends_with(" 0")) {
            // Whoever comes first: the mount or the owner.
            assert!(line.ends_with(" EROFS") || line.ends_with(" EACCES"), "{line}");
        }
        assert!(out.contains("/proc/sys/kernel/core_pattern E"), "{out}");
    }
}

fn outside() -> Vec<String> {
    let mut lines = Vec::new();
    let numbers = std::fs::read_dir("/proc").unwrap().flatten();
    let count = numbers.filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok());
    lines.push(format!("processes {}", count.count()));
    // The helper, which is the parent, has no number here.
    lines.push(format!("parent {:?}", rustix::process::getppid()));
    lines.push(went(
        "kill",
        rustix::process::kill_process(Pid::from_raw(4_000_000).unwrap(), Signal::KILL),
    ));
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let types = mounts.lines().filter(|line| line.contains(" / / ") && line.contains("overlay"));
    lines.push(format!("roots {}", types.count()));
    // The way out of a chroot leads to the root of the image.
    std::fs::create_dir("/jail").unwrap();
    let here = open(".", OFlags::PATH, Mode::empty()).unwrap();
    lines.push(went("chroot", chroot("/jail")));
    rustix::process::fchdir(here).unwrap();
    for _ in 0..64 {
        rustix::process::chdir("..").unwrap();
    }
    chroot(".").unwrap();
    let mut names: Vec<String> = std::fs::read_dir("/")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with("lib") && name != "usr")
        .collect();
    names.sort();
    lines.push(names.join(" "));
    lines
}

fn the_machine_cannot_be_seen(scene: &Scene) {
    let run = attacker(scene, "outside");
    let expected = "processes 1\nparent None\nkill ESRCH\nroots 1\nchroot done\n\
                    attacker bin dev etc jail proc root sys tmp\n";
    assert_eq!(scene.output_of(&run), expected);
}

/// What the script finds, whose interpreter is the process that became it.
pub(crate) fn look_at_program() -> ExitCode {
    let program = std::fs::File::open("/proc/self/exe").unwrap();
    let flags = rustix::fs::fstatvfs(&program).unwrap().f_flag;
    let is_read_only = flags.contains(rustix::fs::StatVfsMountFlags::RDONLY);
    let mut out = std::io::stdout();
    writeln!(out, "read-only: {is_read_only}").unwrap();
    ExitCode::SUCCESS
}

fn our_program_cannot_be_written(scene: &Scene) {
    let script = scene.path("script");
    std::fs::write(&script, "#!/proc/self/exe\n").unwrap();
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    let mut run = attacker(scene, "");
    run.mounts.push(file(scene, "script", SCRIPT));
    run.arguments = vec![SCRIPT.to_owned()];
    assert_eq!(scene.output_of(&run), "read-only: true\n");
}

/// `name` is that of a socket of the network namespace's.
fn sockets(name: &str) -> Vec<String> {
    let socket = |family, kind, protocol: i32| {
        let protocol = u32::try_from(protocol).ok().and_then(std::num::NonZeroU32::new);
        rustix::net::socket(family, kind, protocol.map(rustix::net::Protocol::from_raw))
    };
    vec![
        went("raw", socket(AddressFamily::INET, SocketType::RAW, 1)),
        went("packet", socket(AddressFamily::PACKET, SocketType::RAW, 3)),
        went("vsock", socket(AddressFamily::VSOCK, SocketType::STREAM, 0)),
        went("udp", socket(AddressFamily::INET, SocketType::DGRAM, 0)),
        went("abstract", connect(name)),
    ]
}

fn connect(name: &str) -> std::io::Result<UnixStream> {
    UnixStream::connect_addr(&SocketAddr::from_abstract_name(name)?)
}

fn an_own_network_reaches_nothing(scene: &Scene) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // Its own loopback device answers: nobody listens there.
    let script = format!("nc 127.0.0.1 {port} < /dev/null; ip -o link | grep -v -c lo:");
    let outcome = scene.run(&scene.script(&script)).unwrap();
    let refused = "nc: can't connect to remote host (127.0.0.1): Connection refused\n".to_owned();
    let is_loopback_alone = outcome.out.lines().all(|line| line == "0" || line.contains("lo"));
    assert_eq!((outcome.err, is_loopback_alone), (refused, true), "{}", outcome.out);
    assert_eq!(outcome.exit, Exit::Code(1));
    let name = scene.path("socket").display().to_string();
    let _listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap());
    let mut run = attacker(scene, "sockets");
    run.arguments.push(name);
    // Raw sockets on a network of its own are harmless.
    let expected = "raw done\npacket done\nvsock EPERM\nudp done\nabstract ECONNREFUSED\n";
    assert_eq!(scene.output_of(&run), expected);
}

fn the_network_of_the_machine_is_a_grant(scene: &Scene) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"hello\n").unwrap();
        let mut rest = Vec::new();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        stream.read_to_end(&mut rest).unwrap();
    });
    let mut run = scene.script(&format!("nc 127.0.0.1 {port} < /dev/null"));
    run.network = Network::Host;
    assert_eq!(scene.output_of(&run), "hello\n");
    server.join().unwrap();
    let name = scene.path("socket").display().to_string();
    let _listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap());
    let mut run = attacker(scene, "sockets");
    run.network = Network::Host;
    run.arguments.push(name);
    let reached = if can_scope() { "EPERM" } else { "done" };
    let expected = format!("raw EPERM\npacket EPERM\nvsock EPERM\nudp done\nabstract {reached}\n");
    assert_eq!(scene.output_of(&run), expected);
}

/// Whether the kernel, 6.12 or later, can keep processes from abstract sockets.
fn can_scope() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map_while(|number| number.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(6), Some(12))
}

fn the_environment_of_the_runner_is_not_inherited(scene: &Scene) {
    let path = std::env::var("PATH").unwrap_or_default();
    let out = scene.output("cat /proc/1/environ | tr '\\0' '\\n' | sort");
    assert_eq!(out, "HOME=/root\nPATH=/bin\n");
    assert!(!path.is_empty());
}
