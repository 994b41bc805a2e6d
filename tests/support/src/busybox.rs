//! A small root filesystem with real programs: Debian's static busybox, every applet a link.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use crate::tool;

/// Folders of the root filesystem, and their permission bits.
const FOLDERS: [(&str, u32); 11] = [
    ("bin", 0o755),
    ("dev", 0o755),
    ("etc", 0o755),
    ("home/app", 0o755),
    ("proc", 0o755),
    ("root", 0o700),
    ("sys", 0o755),
    ("tmp", 0o1777),
    ("usr/bin", 0o755),
    ("usr/sbin", 0o755),
    ("var/tmp", 0o1777),
];

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\n";
const GROUP: &str = "root:x:0:\napp:x:1000:\nstaff:x:50:app\n";

/// Writes it into the folder `root`, with the users `root` and `app` (1000).
///
/// # Panics
/// busybox is missing (the message says what to type), or the folder cannot be written.
pub fn write_busybox(root: &Path) {
    let busybox = tool::file("busybox", "busybox-static");
    for (folder, mode) in FOLDERS {
        let path = root.join(folder);
        fs::create_dir_all(&path).expect("the folder is ours");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("the folder is ours");
    }
    fs::copy(&busybox, root.join("bin/busybox")).expect("the folder is ours");
    let mut list = std::process::Command::new(&busybox);
    let applets = list.arg("--list").output().expect("busybox runs");
    for applet in String::from_utf8_lossy(&applets.stdout).lines() {
        if applet != "busybox" {
            symlink("busybox", root.join("bin").join(applet)).expect("the folder is ours");
        }
    }
    fs::write(root.join("etc/passwd"), PASSWD).expect("the folder is ours");
    fs::write(root.join("etc/group"), GROUP).expect("the folder is ours");
}
