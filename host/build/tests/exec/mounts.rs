//! What a command sees besides the image.

use std::os::unix::fs::MetadataExt as _;

use build::exec::{Access, ExecError, Mount, MountKind, Network, Step};
use report::Secret;

use crate::Test;
use crate::scene::{Scene, bind};

pub(crate) const TESTS: &[Test] = &[
    ("files_from_elsewhere_are_read_only", files_from_elsewhere_are_read_only),
    ("writes_to_files_from_elsewhere_are_discarded", writes_to_files_from_elsewhere_are_discarded),
    ("several_snapshots_are_one_source", several_snapshots_are_one_source),
    ("links_in_a_source_stay_in_it", links_in_a_source_stay_in_it),
    ("links_in_the_image_stay_in_it", links_in_the_image_stay_in_it),
    ("a_cache_stays", a_cache_stays),
    ("a_tmpfs_is_as_large_as_asked", a_tmpfs_is_as_large_as_asked),
    ("secrets_are_files_in_memory", secrets_are_files_in_memory),
    ("secrets_are_variables", secrets_are_variables),
    ("names_are_resolved_as_told", names_are_resolved_as_told),
    ("mounts_lie_in_mounts", mounts_lie_in_mounts),
    ("a_file_is_no_directory", a_file_is_no_directory),
    ("many_snapshots_are_one_file_system", many_snapshots_are_one_file_system),
];

fn files_from_elsewhere_are_read_only(scene: &Scene) {
    let source = scene.directory("source");
    std::fs::create_dir(source.join("sub")).unwrap();
    std::fs::write(source.join("sub/file"), "content\n").unwrap();
    let mut run = scene.script("cat /src/sub/file /one; echo x > /src/new; echo x > /one");
    run.mounts = vec![bind(&source, "/src", Access::Read), bind(&source, "/one", Access::Read)];
    if let MountKind::Bind { path, .. } = &mut run.mounts[1].kind {
        *path = "/sub/file".to_owned();
    }
    let outcome = scene.run(&run).unwrap();
    assert_eq!(outcome.out, "content\ncontent\n");
    let expected = "/bin/sh: can't create /src/new: Read-only file system\n\
                    /bin/sh: can't create /one: Read-only file system\n";
    assert_eq!(outcome.err, expected);
    assert_eq!(scene.list(&run.upper), Vec::<String>::new());
}

fn writes_to_files_from_elsewhere_are_discarded(scene: &Scene) {
    let source = scene.directory("source");
    std::fs::write(source.join("file"), "content\n").unwrap();
    std::fs::write(source.join("gone"), "").unwrap();
    let mut run = scene.script(
        "cd /src; echo more >> file; rm gone; mkdir new; echo n > new/n; cat file new/n; ls",
    );
    run.mounts = vec![bind(&source, "/src", Access::Write)];
    assert_eq!(scene.output_of(&run), "content\nmore\nn\nfile\nnew\n");
    assert_eq!(std::fs::read_to_string(source.join("file")).unwrap(), "content\n");
    assert_eq!(scene.list(&source), ["100644 file", "100644 gone"]);
    assert_eq!(scene.list(&run.upper), Vec::<String>::new());
}

fn several_snapshots_are_one_source(scene: &Scene) {
    let (upper, lower) = (scene.directory("upper-layer"), scene.directory("lower-layer"));
    std::fs::create_dir_all(lower.join("out/sub")).unwrap();
    std::fs::create_dir_all(upper.join("out")).unwrap();
    std::fs::write(lower.join("out/a"), "lower\n").unwrap();
    std::fs::write(lower.join("out/sub/b"), "lower\n").unwrap();
    std::fs::write(upper.join("out/a"), "upper\n").unwrap();
    let mut run = scene.script("cat /from/a /from/sub/b; echo x > /from/a || true");
    let kind = |access| MountKind::Bind {
        source: vec![upper.clone(), lower.clone()],
        path: "out".to_owned(),
        access,
    };
    run.mounts = vec![Mount { target: "/from".to_owned(), kind: kind(Access::Read) }];
    let outcome = scene.run(&run).unwrap();
    assert_eq!(outcome.out, "upper\nlower\n");
    assert_eq!(outcome.err, "/bin/sh: can't create /from/a: Read-only file system\n");
    let mut run = scene.script("echo x > /from/a; cat /from/a");
    run.mounts = vec![Mount { target: "/from".to_owned(), kind: kind(Access::Write) }];
    assert_eq!(scene.output_of(&run), "x\n");
    assert_eq!(std::fs::read_to_string(upper.join("out/a")).unwrap(), "upper\n");
}

fn links_in_a_source_stay_in_it(scene: &Scene) {
    let source = scene.directory("source");
    std::fs::create_dir(source.join("etc")).unwrap();
    std::fs::write(source.join("etc/passwd"), "of the source\n").unwrap();
    for (name, target) in [("a", "/etc/passwd"), ("b", "../../../../etc/passwd")] {
        std::os::unix::fs::symlink(target, source.join(name)).unwrap();
        let mut run = scene.script("cat /file");
        run.mounts = vec![bind(&source, "/file", Access::Read)];
        if let MountKind::Bind { path, .. } = &mut run.mounts[0].kind {
            *path = name.to_owned();
        }
        assert_eq!(scene.output_of(&run), "of the source\n");
    }
    let mut run = scene.script("");
    run.mounts = vec![bind(&source, "/file", Access::Read)];
    if let MountKind::Bind { path, .. } = &mut run.mounts[0].kind {
        *path = "missing".to_owned();
    }
    let Err(ExecError::Step(failure)) = scene.run(&run) else { panic!("it must not run") };
    let expected = "cannot find `missing` to mount: No such file or directory (os error 2)";
    assert_eq!((failure.step, failure.to_string()), (Step::Mount, expected.to_owned()));
}

fn links_in_the_image_stay_in_it(scene: &Scene) {
    // As distributions have it; the target is nowhere in the image, but there on the machine.
    let link = scene.base().join("etc/resolv.conf");
    std::os::unix::fs::symlink("../../../../../../../../etc/ssl/none", &link).unwrap();
    std::os::unix::fs::symlink("/tmp", scene.base().join("link")).unwrap();
    let source = scene.directory("source");
    std::fs::write(source.join("file"), "content\n").unwrap();
    let mut run = scene.script("cat /etc/resolv.conf /etc/ssl/none; ls /tmp/deep/er");
    run.resolv_conf = Some(b"nameserver 192.0.2.1\n".to_vec());
    run.mounts = vec![bind(&source, "/link/deep/er", Access::Read)];
    let line = "nameserver 192.0.2.1\n";
    assert_eq!(scene.output_of(&run), format!("{line}{line}file\n"));
    assert_eq!(scene.list(&run.upper), Vec::<String>::new());
}

fn a_cache_stays(scene: &Scene) {
    let directory = scene.path("cache");
    let cache = |access| Mount {
        target: "/var/cache/it".to_owned(),
        kind: MountKind::Cache {
            directory: directory.clone(),
            mode: 0o750,
            uid: 0,
            gid: 0,
            access,
        },
    };
    let mut run = scene.script("stat -c '%a %u:%g' /var/cache/it; echo 1 > /var/cache/it/file");
    run.mounts = vec![cache(Access::Write)];
    assert_eq!(scene.output_of(&run), "750 0:0\n");
    assert_eq!(scene.list(&run.upper), Vec::<String>::new());
    let mut run = scene.script("cat /var/cache/it/file; echo 2 > /var/cache/it/file");
    run.mounts = vec![cache(Access::Read)];
    let outcome = scene.run(&run).unwrap();
    assert_eq!(outcome.out, "1\n");
    assert_eq!(outcome.err, "/bin/sh: can't create /var/cache/it/file: Read-only file system\n");
    let owner = std::fs::metadata(&directory).unwrap().uid();
    assert_eq!(owner, rustix::process::geteuid().as_raw());
}

fn a_tmpfs_is_as_large_as_asked(scene: &Scene) {
    let mut run = scene.script(
        "stat -c %a /mnt; df -k /mnt | tail -n 1 | tr -s ' ' | cut -d' ' -f2; \
         dd if=/dev/zero of=/mnt/file bs=1k count=2048 2>&1 | grep -c 'No space left'",
    );
    let kind = MountKind::Tmpfs { size: Some(1 << 20) };
    run.mounts = vec![Mount { target: "/mnt".to_owned(), kind }];
    let outcome = scene.run(&run).unwrap();
    assert_eq!(outcome.out, "1777\n1024\n1\n");
    assert_eq!(scene.list(&run.upper), Vec::<String>::new());
}

fn secret(target: &str, bytes: &str) -> Mount {
    let kind = MountKind::Secret { bytes: Secret::new(bytes), mode: 0o400, uid: 0, gid: 0 };
    Mount { target: target.to_owned(), kind }
}

fn secrets_are_files_in_memory(scene: &Scene) {
    let mut run = scene.script(
        "cat /run/secrets/token; stat -c '%a %u:%g' /run/secrets/token; \
         stat -f -c %T /run/secrets/token; echo x > /run/secrets/token; \
         cat /proc/*/environ /proc/*/cmdline | tr '\\0' '\\n' | grep -c -f /run/secrets/token",
    );
    run.mounts = vec![secret("/run/secrets/token", "sesame\n")];
    let outcome = scene.run(&run).unwrap();
    assert_eq!(outcome.out, "sesame\n400 0:0\ntmpfs\n0\n");
    let refused = "/bin/sh: can't create /run/secrets/token: Read-only file system\n";
    assert_eq!(outcome.err, refused);
    assert_eq!(scene.list(&run.upper), Vec::<String>::new());
    assert_eq!(scene.list(&run.scratch), Vec::<String>::new());
    // Gone with the command, and its place with it.
    assert_eq!(scene.output("ls /run 2>&1 || true"), "ls: /run: No such file or directory\n");
}

fn secrets_are_variables(scene: &Scene) {
    let mut run = scene.script("echo $FIRST $SECOND; cat /file");
    let variable = |name: &str, value: &str| Mount {
        target: String::new(),
        kind: MountKind::SecretVariable { name: name.to_owned(), bytes: Secret::new(value) },
    };
    run.mounts =
        vec![variable("FIRST", "one"), secret("/file", "three\n"), variable("SECOND", "two")];
    assert_eq!(scene.output_of(&run), "one two\nthree\n");
    assert_eq!(scene.output("echo $FIRST"), "\n");
}

fn names_are_resolved_as_told(scene: &Scene) {
    let script = "cat /etc/hosts /etc/resolv.conf; echo more >> /etc/hosts; wc -l < /etc/hosts";
    let mut run = scene.script(script);
    run.network = Network::Host;
    run.hosts = b"192.0.2.7 seven\n".to_vec();
    run.resolv_conf = Some(b"nameserver 192.0.2.1\n".to_vec());
    assert_eq!(scene.output_of(&run), "192.0.2.7 seven\nnameserver 192.0.2.1\n2\n");
    assert_eq!(scene.list(&run.upper), Vec::<String>::new());
}

fn mounts_lie_in_mounts(scene: &Scene) {
    let source = scene.directory("source");
    std::fs::write(source.join("file"), "content\n").unwrap();
    let cache = scene.path("cache");
    let mut run = scene.script("ls /a /a/b; echo x > /a/kept");
    run.mounts = vec![
        Mount {
            target: "/a".to_owned(),
            kind: MountKind::Cache {
                directory: cache.clone(),
                mode: 0o755,
                uid: 0,
                gid: 0,
                access: Access::Write,
            },
        },
        bind(&source, "/a/b", Access::Read),
    ];
    assert_eq!(scene.output_of(&run), "/a:\nb\n\n/a/b:\nfile\n");
    assert_eq!(scene.list(&cache), ["100644 kept"]);
}

fn a_file_is_no_directory(scene: &Scene) {
    let source = scene.directory("source");
    let mut run = scene.script("");
    run.mounts = vec![bind(&source, "/etc/passwd", Access::Read)];
    let Err(ExecError::Step(failure)) = scene.run(&run) else { panic!("it must not run") };
    let expected = "`/etc/passwd` is to be a directory, and the image has a file there";
    assert_eq!((failure.step, failure.to_string()), (Step::MountPoint, expected.to_owned()));
    assert_eq!(scene.list(&run.upper), Vec::<String>::new());
}

fn many_snapshots_are_one_file_system(scene: &Scene) {
    // As many as Docker allows, and more than fit a page of mount options.
    for count in [127, 300] {
        let mut run = scene.script("ls /many | wc -l; cat /top");
        for number in 0..count {
            let layer = scene.directory(&format!("{count}-layer-{number}"));
            std::fs::create_dir(layer.join("many")).unwrap();
            std::fs::write(layer.join(format!("many/{number}")), "").unwrap();
            std::fs::write(layer.join("top"), format!("{number}\n")).unwrap();
            run.lower.insert(0, layer);
        }
        assert_eq!(scene.output_of(&run), format!("{count}\n{}\n", count - 1));
    }
}
