//! What a runtime is told about a container.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::containers::runner::Container;
use crate::json::{at, set, text};

/// What programs that begin as root may keep, as docker lets them.
const CAPABILITIES: [&str; 11] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_NET_BIND_SERVICE",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

/// Kernel files that say too much, and those that change the machine.
const MASKED: [&str; 5] =
    ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/sched_debug", "/proc/scsi"];
const READ_ONLY: [&str; 5] =
    ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A user who is not root: what is root in the container is this user outside, and nobody else is in
/// there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rootless {
    uid: u32,
    gid: u32,
}

impl Rootless {
    /// Who this process is, unless that is root.
    pub(super) fn of_this_process() -> Option<Self> {
        let own = fs_err::metadata("/proc/self").ok()?;
        let (uid, gid) = (own.uid(), own.gid());
        (uid != 0).then_some(Self { uid, gid })
    }
}

/// The `config.json` of a bundle.
pub(super) fn spec(
    container: &Container,
    config: &Value,
    root: &Path,
    rootless: Option<Rootless>,
) -> Result<Value, String> {
    let words = |pointer: &str| -> Vec<String> {
        let list = at(config, pointer).as_array().into_iter().flatten();
        list.filter_map(|word| word.as_str().map(str::to_owned)).collect()
    };
    let mut arguments = container.command.clone();
    if arguments.is_empty() {
        arguments = words("/config/Entrypoint");
        arguments.extend(words("/config/Cmd"));
    }
    if arguments.is_empty() {
        return Err("the image does not say what to run, nor does the group".to_owned());
    }
    let mut environment = words("/config/Env");
    if !environment.iter().any(|variable| variable.starts_with("PATH=")) {
        environment.push(PATH.to_owned());
    }
    for (name, value) in &container.environment {
        let value = value.expose_text().unwrap_or_default();
        environment.retain(|known| known.split('=').next() != Some(name));
        environment.push(format!("{name}={value}"));
    }
    let (uid, gid) = user(text(config, "/config/User"), root)?;
    let folder = match text(config, "/config/WorkingDir") {
        "" => "/",
        folder => folder,
    };
    if rootless.is_some() && (uid, gid) != (0, 0) {
        return Err(format!("without being root, containers run as root only, not as {uid}:{gid}"));
    }
    let mut kinds = vec!["pid", "ipc", "uts", "mount"];
    kinds.extend(rootless.map(|_| "user"));
    let namespaces: Vec<Value> = kinds.into_iter().map(|kind| json!({ "type": kind })).collect();
    let mut linux =
        json!({ "namespaces": namespaces, "maskedPaths": MASKED, "readonlyPaths": READ_ONLY });
    if let Some(Rootless { uid, gid }) = rootless {
        let mapped = |id: u32| json!([{ "containerID": 0, "hostID": id, "size": 1 }]);
        set(&mut linux, "uidMappings", mapped(uid));
        set(&mut linux, "gidMappings", mapped(gid));
    }
    let mount = |place: &str, kind: &str, options: &[&str]| json!({ "destination": place, "type": kind, "source": kind, "options": options });
    Ok(json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false, "user": { "uid": uid, "gid": gid }, "args": arguments,
            "env": environment, "cwd": folder, "noNewPrivileges": true,
            "capabilities": {
                "bounding": CAPABILITIES, "effective": CAPABILITIES, "permitted": CAPABILITIES,
            },
        },
        "root": { "path": "rootfs", "readonly": false },
        "hostname": container.group,
        "mounts": [
            mount("/proc", "proc", &["nosuid", "noexec", "nodev"]),
            mount("/dev", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
            mount("/dev/pts", "devpts", &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]),
            mount("/dev/shm", "tmpfs", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
        ],
        "linux": linux,
    }))
}

/// `USER[:GROUP]`, by number or by the image's own `/etc/passwd` and `/etc/group`.
fn user(named: &str, root: &Path) -> Result<(u32, u32), String> {
    let (user, group) = named.split_once(':').unwrap_or((named, ""));
    let line = |file: &str, name: &str| -> Option<Vec<String>> {
        let text = fs_err::read_to_string(root.join("etc").join(file)).ok()?;
        let fields = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
        text.lines().map(fields).find(|fields| fields.first().is_some_and(|first| first == name))
    };
    let number = |fields: &[String], at: usize| fields.get(at)?.parse::<u32>().ok();
    let missing = |name: &str| format!("the image has no user or group `{name}`");
    let known = line("passwd", user);
    let uid = match user {
        "" => 0,
        user => match user.parse() {
            Ok(uid) => uid,
            Err(_) => known.as_deref().and_then(|f| number(f, 2)).ok_or_else(|| missing(user))?,
        },
    };
    let gid = match group {
        "" => known.as_deref().and_then(|fields| number(fields, 3)).unwrap_or(0),
        group => match group.parse() {
            Ok(gid) => gid,
            Err(_) => {
                line("group", group).and_then(|f| number(&f, 2)).ok_or_else(|| missing(group))?
            }
        },
    };
    Ok((uid, gid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_numbers_or_names_of_the_image() {
        let root = tempfile::tempdir().unwrap();
        fs_err::create_dir(root.path().join("etc")).unwrap();
        fs_err::write(root.path().join("etc/passwd"), "me:x:7:8::/:/\nbroken\n").unwrap();
        fs_err::write(root.path().join("etc/group"), "us:x:9:\n").unwrap();
        let of = |named: &str| user(named, root.path()).ok();
        assert_eq!(of(""), Some((0, 0)));
        assert_eq!(of("5:6"), Some((5, 6)));
        assert_eq!(of("me"), Some((7, 8)));
        assert_eq!(of("me:us"), Some((7, 9)));
        for wrong in ["you", "broken", "me:them", "-1", ":x"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
