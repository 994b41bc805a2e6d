//! What is left in the layer: what the command did, and nothing else.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt};

use build::exec::{Access, Mapping, Mount, MountKind};
use report::Secret;

use crate::Test;
use crate::scene::{Scene, bind};

pub(crate) const TESTS: &[Test] = &[
    (
        "a_command_that_changes_nothing_leaves_nothing",
        a_command_that_changes_nothing_leaves_nothing,
    ),
    ("changes_lie_in_the_upper_directory", changes_lie_in_the_upper_directory),
    ("what_the_command_made_its_own_stays", what_the_command_made_its_own_stays),
    ("directories_that_change_stay", directories_that_change_stay),
    ("a_link_in_the_layer_is_not_followed", a_link_in_the_layer_is_not_followed),
    ("an_image_from_nothing_has_room_for_mounts", an_image_from_nothing_has_room_for_mounts),
];

fn a_command_that_changes_nothing_leaves_nothing(scene: &Scene) {
    let source = scene.directory("source");
    let mut run = scene.script("ls /proc/self > /dev/null; cat /etc/resolv.conf");
    run.resolv_conf = Some(Vec::new());
    run.mounts = vec![
        bind(&source, "/opt/a/b/c", Access::Read),
        bind(&source, "/opt/a/d", Access::Write),
        Mount { target: "/etc/x/y".to_owned(), kind: MountKind::Tmpfs { size: None } },
        Mount {
            target: "/run/secrets/token".to_owned(),
            kind: MountKind::Secret { bytes: Secret::new("s"), mode: 0o400, uid: 0, gid: 0 },
        },
    ];
    let time = |path: &std::path::Path| {
        let metadata = std::fs::metadata(path).unwrap();
        (metadata.mtime(), metadata.mtime_nsec())
    };
    std::fs::set_permissions(&run.upper, PermissionsExt::from_mode(0o755)).unwrap();
    let before = time(&run.upper);
    assert_eq!(scene.output_of(&run), "");
    assert_eq!(scene.list(&run.upper), Vec::<String>::new());
    assert_eq!(time(&run.upper), before);
}

fn changes_lie_in_the_upper_directory(scene: &Scene) {
    let run = scene.script(
        "umask 0; mkdir -p /new/dir; echo x > /new/dir/file; chmod 640 /new/dir/file; \
         rm /etc/group; rm -r /tmp; mkdir /tmp",
    );
    assert_eq!(scene.output_of(&run), "");
    let expected = [
        "40755 etc",
        "20000 etc/group",
        "40777 new",
        "40777 new/dir",
        "100640 new/dir/file",
        "40777 tmp",
    ];
    assert_eq!(scene.list(&run.upper), expected);
    let opaque = match scene.mapping() {
        Mapping::Root => "trusted.overlay.opaque",
        Mapping::Full { .. } | Mapping::Single { .. } => "user.overlay.opaque",
    };
    let mut value = [0; 8];
    let length = rustix::fs::getxattr(run.upper.join("tmp"), opaque, &mut value[..]).unwrap();
    assert_eq!(&value[..length], b"y");
}

fn what_the_command_made_its_own_stays(scene: &Scene) {
    let mut run = scene.script("echo x > /run/secrets/other; mkdir /proc2");
    run.mounts = vec![Mount {
        target: "/run/secrets/token".to_owned(),
        kind: MountKind::Secret { bytes: Secret::new("s"), mode: 0o400, uid: 0, gid: 0 },
    }];
    assert_eq!(scene.output_of(&run), "");
    let expected = ["40755 proc2", "40755 run", "40755 run/secrets", "100644 run/secrets/other"];
    assert_eq!(scene.list(&run.upper), expected);
}

fn directories_that_change_stay(scene: &Scene) {
    // /etc is copied for the place of /etc/hosts; only what the command does to it counts.
    let run = scene.script("chmod 700 /etc");
    assert_eq!(scene.output_of(&run), "");
    assert_eq!(scene.list(&run.upper), ["40700 etc"]);
    let run = scene.script("touch /etc/new; rm /etc/new");
    assert_eq!(scene.output_of(&run), "");
    assert_eq!(scene.list(&run.upper), ["40755 etc"]);
    let run = scene.script("cat /etc/passwd > /dev/null; chmod 755 /etc");
    assert_eq!(scene.output_of(&run), "");
    assert_eq!(scene.list(&run.upper), Vec::<String>::new());
}

fn a_link_in_the_layer_is_not_followed(scene: &Scene) {
    let victim = scene.directory("victim");
    std::fs::write(victim.join("hosts"), "").unwrap();
    let script = format!("mv /fresh /old; ln -s {} /fresh", victim.display());
    let mut run = scene.script(&script);
    run.mounts = vec![Mount {
        target: "/fresh/hosts".to_owned(),
        kind: MountKind::Secret { bytes: Secret::new("s"), mode: 0o400, uid: 0, gid: 0 },
    }];
    assert_eq!(scene.output_of(&run), "");
    assert_eq!(scene.list(&victim), ["100644 hosts"]);
    assert_eq!(scene.list(&run.upper), ["120777 fresh", "40755 old", "100644 old/hosts"]);
}

fn an_image_from_nothing_has_room_for_mounts(scene: &Scene) {
    let mut run = scene.script("ls /; cat /etc/hosts");
    run.lower = Vec::new();
    run.mounts = vec![bind(&scene.base().join("bin"), "/bin", Access::Read)];
    assert_eq!(scene.output_of(&run), "bin\ndev\netc\nproc\nsys\n127.0.0.1 localhost\n");
    assert_eq!(scene.list(&run.upper), Vec::<String>::new());
}
