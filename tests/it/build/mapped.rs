//! Builds by a user who is not root and has subordinate ids: all users of an image are there.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::Command;

use serde_json::json;
use support::{Signal, Skopeo, poll};

use super::Workshop;
use super::rootless::{Other, is_root, outputs};

/// Files of others that only they can read, in an image that root has made.
const OWNED: &str = "FROM BASE\n\
    RUN mkdir /own && echo secret > /own/file && chmod 600 /own/file && chmod 2700 /own \
     && chown -R 1000:1000 /own && chmod 2700 /own \
     && echo root > /etc/shadow && chown 0:42 /etc/shadow && chmod 640 /etc/shadow \
     && cp /bin/busybox /own/su && chown 1000:42 /own/su && chmod 6711 /own/su \
     && ln -s file /own/link && chown -h 1000:1000 /own/link && mkfifo /own/pipe && chown 7:8 /own/pipe\n";

/// What the others do, and what is done with their files.
const USERS: &str = "FROM OWNED AS first\n\
    RUN touch /x && chown 1000:1000 /x && chmod 600 /x\n\
    USER 1000\n\
    RUN [ \"$(id -u)\" = 1000 ] && cat /own/file /x > /own/all && chmod 400 /own/all && ln /own/all /own/again\n\
    USER root\n\
    WORKDIR /own/deep/er\n\
    COPY --chown=33:33 --chmod=600 one /own/one\n\
    COPY --chown=app dir ./dir\n\
    ADD owners.tar /own/\n\
    RUN rm -r /own/su /etc/shadow && chmod 700 /own/dir-of-tar && [ \"$(stat -c %u:%g /own/one)\" = 33:33 ]\n\
    USER app\n\
    RUN --mount=type=cache,target=/cache,uid=1000,gid=1000,mode=700 mkdir -p /cache/deep && echo 1 > /cache/deep/one && chmod 0 /cache/deep\n\
    FROM OWNED\n\
    COPY --from=first /own /copied\n\
    COPY --from=first --chown=0:42 /x /etc/\n\
    RUN --mount=type=bind,from=first,source=/own,target=/mnt cat /mnt/all > /all && chown 12:34 / && chmod 711 /\n\
    RUN touch /later && [ \"$(stat -c %u:%g:%a /)\" = 12:34:711 ]\n\
    WORKDIR /last\n";

/// The Dockerfiles in the workshop, and the image `base/owned:1`.
fn furnish(shop: &Workshop) {
    shop.host.write("owned/Dockerfile", OWNED.replace("BASE", &shop.base()));
    let owned = format!("{}/base/owned:1", shop.registry());
    shop.build(&format!("context = \"owned\"\ntags = [\"{owned}\"]"));
    shop.host.write("ctx/Dockerfile", USERS.replace("OWNED", &owned));
    shop.host.write("ctx/one", "1");
    shop.host.write("ctx/dir/two", "2");
    shop.host.write("tar/dir-of-tar/three", "3");
    std::os::unix::fs::symlink("three", shop.host.path("tar/dir-of-tar/link")).unwrap();
    let mut tar = Command::new("tar");
    tar.args(["--numeric-owner", "--owner=5", "--group=6", "--mode=700", "--mtime=@0", "-cf"]);
    tar.arg(shop.host.path("ctx/owners.tar")).arg("-C").arg(shop.host.path("tar"));
    assert!(tar.arg("dir-of-tar").status().unwrap().success());
}

/// The store of the other user.
fn store(shop: &Workshop) -> PathBuf {
    let place = shop.host.path("build-of-other");
    let names: Vec<_> = fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [store] = names.as_slice() else { panic!("one kind of store: {names:?}") };
    assert_eq!(store.file_name().unwrap(), "mapped-200000-200000");
    store.clone()
}

/// What is in the folders of a store.
fn content(shop: &Workshop) -> Vec<String> {
    let store = store(shop);
    let folders = ["blobs/sha256", "snapshots", "mounts", "work"];
    let entries = folders.iter().flat_map(|folder| fs::read_dir(store.join(folder)).unwrap());
    entries.map(|entry| entry.unwrap().path().display().to_string()).collect()
}

/// Removes all that the other user may remove, which has to be all.
#[track_caller]
fn prune(shop: &Workshop) {
    Other::Nobody.run(shop, &["cache", "--prune"]).exits(0);
    assert_eq!(content(shop), [""; 0]);
}

#[test]
fn files_of_all_users_give_the_digest_of_root() {
    if !is_root() {
        return;
    }
    let shop = Workshop::new();
    furnish(&shop);
    let with =
        format!("context = \"ctx\"\ntags = [\"{}/app:1\"]\nsbom = \"spdx\"", shop.registry());
    let by_root = shop.build(&with);
    let by_other = outputs(&Other::Nobody.build(&shop, &with));
    let tree = Skopeo::new().tree(&format!("docker://{}/app:1", shop.registry()));
    let starts = |path: &str, with: &str| {
        let described = tree.get(path).unwrap_or_else(|| panic!("no {path}: {tree:?}"));
        assert!(described.starts_with(with), "{path}: {described}");
    };
    starts("own", "2700 1000:1000 directory");
    starts("own/su", "6711 1000:42 file");
    starts("etc/shadow", "640 0:42 file");
    starts("own/pipe", "644 7:8 ");
    starts("copied", "755 0:0 directory");
    starts("copied/all", "400 1000:1000 file");
    starts("copied/one", "600 33:33 file");
    starts("copied/link", "777 1000:1000 ");
    starts("copied/dir-of-tar/three", "700 5:6 file");
    starts("copied/deep/er/dir/two", "644 1000:1000 file");
    starts("etc/x", "600 0:42 file");
    assert!(!tree.contains_key("copied/su"), "{tree:?}");
    assert_eq!(by_other["digest"], by_root["digest"]);
    assert_eq!(by_other["sboms"], by_root["sboms"]);
    let again = outputs(&Other::Nobody.build(&shop, &with));
    assert_eq!(again["digest"], by_root["digest"]);
    assert_eq!(again["steps"]["done"], json!(0), "{}", again["steps"]);
    assert_eq!(again["steps"]["cached"], by_other["steps"]["done"]);
    // On disk they belong to those that /etc/subuid gives away.
    let owners = fs::read_dir(store(&shop).join("snapshots")).unwrap();
    let owners: Vec<u32> = owners
        .filter_map(|layer| fs::symlink_metadata(layer.unwrap().path().join("own/one")).ok())
        .map(|file| file.uid())
        .collect();
    assert_eq!(owners, [200_032]);
    prune(&shop);
}

#[test]
fn what_a_killed_build_left_of_other_users_goes() {
    if !is_root() {
        return;
    }
    let shop = Workshop::new();
    furnish(&shop);
    let owned = format!("{}/base/owned:1", shop.registry());
    let marker = format!("sleep 95{}", std::process::id());
    let dockerfile = format!(
        "FROM {owned}\nUSER app\nRUN --mount=type=cache,target=/cache,uid=1000,mode=700 \
         mkdir -p /own/mine/deep && echo 1 > /own/mine/deep/one && chmod 0 /own/mine/deep /own/mine && \
         mkdir -m 0 /cache/closed && {marker}\n"
    );
    shop.host.write("ctx/Dockerfile", dockerfile);
    let running = Other::Nobody.begin(&shop, "context = \"ctx\"");
    let is_running = || {
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
        lines
            .into_iter()
            .any(|line| String::from_utf8_lossy(&line).replace('\0', " ").trim() == marker)
    };
    poll("the command", || is_running().then_some(()));
    running.signal(Signal::SIGKILL);
    let (status, ..) = running.finish();
    assert!(!status.success());
    poll("the end of the command", || (!is_running()).then_some(()));
    let is_work = |path: &String| path.contains("/work/");
    let left: Vec<String> = content(&shop).into_iter().filter(is_work).collect();
    assert!(!left.is_empty(), "it could not clean up: it was killed");
    prune(&shop);
}
