//! Builds by a user who is not root and has no more ids than its own.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Command;

use serde_json::Value;
use support::{Output, Running, Skopeo};

use super::Workshop;

/// Who builds without being root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Other {
    /// A user without a name, a home and subordinate ids.
    Stranger,
    /// `nobody`, who gets subordinate ids in a mount namespace of the test's own.
    Nobody,
}

/// Whether the test may become somebody else; who runs the tests without root is it already, and
/// then the other tests of builds say what these do.
pub(super) fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

impl Other {
    fn id(self) -> u32 {
        match self {
            Self::Stranger => 12345,
            Self::Nobody => 65534,
        }
    }

    /// Runs the program in the world of the workshop, which is given to this user.
    pub(super) fn start(self, shop: &Workshop, arguments: &[&str]) -> Running {
        let world = shop.host.path(".");
        std::fs::set_permissions(&world, std::fs::Permissions::from_mode(0o755)).unwrap();
        // The program may lie where others must not look.
        let program = shop.host.path("windlass-of-all");
        if !program.exists() {
            std::fs::copy(env!("CARGO_BIN_EXE_windlass"), &program).unwrap();
        }
        let mut chown = Command::new("find");
        chown.arg(&world).args(["-path", "*-of-other", "-prune", "-o", "-exec", "chown", "-h"]);
        chown.args([&format!("{0}:{0}", self.id()), "{}", "+"]);
        assert!(chown.status().unwrap().success());
        let own = |name: &str| shop.host.path(name).display().to_string();
        let switched = format!(
            "setpriv --reuid={0} --regid={0} --clear-groups {1} \"$@\"",
            self.id(),
            program.display()
        );
        let switched = match self {
            Self::Stranger => switched,
            Self::Nobody => {
                shop.host.write("subids", "nobody:200000:65536\n");
                let list = own("subids");
                format!(
                    "unshare --mount sh -c 'mount --bind {list} /etc/subuid && \
                     mount --bind {list} /etc/subgid && exec {switched}' sh \"$@\""
                )
            }
        };
        let setup = format!(
            "export WINDLASS_BUILD_DIR={} WINDLASS_CACHE_DIR={}; exec {switched}",
            own("build-of-other"),
            own("cache-of-other"),
        );
        shop.host.spawn_below(&setup, arguments)
    }

    /// The same, to its end.
    pub(super) fn run(self, shop: &Workshop, arguments: &[&str]) -> Output {
        shop.host.finish(self.start(shop, arguments), arguments)
    }

    /// Begins a build.
    pub(super) fn begin(self, shop: &Workshop, with: &str) -> Running {
        shop.host.write("p.toml", shop.pipeline(with));
        self.start(shop, &RUN)
    }

    /// Builds.
    pub(super) fn build(self, shop: &Workshop, with: &str) -> Output {
        shop.host.finish(self.begin(shop, with), &RUN)
    }
}

const RUN: [&str; 4] = ["run", "p.toml", "--format", "json"];

#[track_caller]
pub(super) fn outputs(ran: &Output) -> Value {
    ran.exits(0);
    ran.finished("build")["outputs"].clone()
}

const COPIES: &str = "FROM BASE\nCOPY --chown=7:8 --chmod=640 one /one\nCOPY --chown=app dir /home/app/dir\n\
                      WORKDIR /work/deep\nCOPY . .\nENV A=1\n";

#[test]
fn owners_are_written_down_and_the_digest_is_that_of_root() {
    if !is_root() {
        return;
    }
    let shop = Workshop::new();
    shop.host.write("ctx/Dockerfile", COPIES.replace("BASE", &shop.base()));
    shop.host.write("ctx/one", "1");
    shop.host.write("ctx/dir/two", "2");
    let with = format!("context = \"ctx\"\ntags = [\"{}/app:1\"]", shop.registry());
    let by_root = shop.build(&with);
    let by_other = outputs(&Other::Stranger.build(&shop, &with));
    assert_eq!(by_other["digest"], by_root["digest"]);
    let tree = Skopeo::new().tree(&format!("docker://{}/app:1", shop.registry()));
    let starts = |path: &str, with: &str| {
        let described = tree.get(path).unwrap_or_else(|| panic!("no {path}: {tree:?}"));
        assert!(described.starts_with(with), "{path}: {described}");
    };
    starts("one", "640 7:8 file");
    starts("home/app/dir", "755 1000:1000 directory");
    starts("home/app/dir/two", "644 1000:1000 file");
    starts("work/deep/one", "644 0:0 file");
}

#[test]
fn commands_are_root_of_their_own() {
    if !is_root() {
        return;
    }
    let shop = Workshop::new();
    let dockerfile = format!(
        "FROM {}\nRUN [ \"$(id -u):$(id -g)\" = 0:0 ] && mkdir -p /made/deep && echo 1 > /made/one && chmod 750 /made/one\n\
         RUN rm -r /home/app && mv /made/deep /made/moved && [ \"$(stat -c %u /made/one)\" = 0 ]\n\
         COPY --chown=7:8 one /two\nRUN cat /two > /three\n",
        shop.base()
    );
    shop.host.write("ctx/Dockerfile", dockerfile);
    shop.host.write("ctx/one", "1");
    let with = format!("context = \"ctx\"\ntags = [\"{}/app:1\"]", shop.registry());
    let by_other = outputs(&Other::Stranger.build(&shop, &with));
    let place = format!("docker://{}/app:1", shop.registry());
    let tree = Skopeo::new().tree(&place);
    assert!(tree["made/one"].starts_with("750 0:0 file"), "{tree:?}");
    assert!(tree["two"].starts_with("644 7:8 file"), "{tree:?}");
    assert!(!tree.contains_key("home/app") && tree.contains_key("made/moved"), "{tree:?}");
    let by_root = shop.build(&with);
    assert_eq!(Skopeo::new().tree(&place), tree);
    assert_eq!(by_other["digest"], by_root["digest"]);
}

#[test]
fn a_command_of_another_user_is_refused_with_what_allows_it() {
    if !is_root() {
        return;
    }
    let shop = Workshop::new();
    for command in ["USER app\nRUN true\n", "USER 7:8\nRUN true\n"] {
        shop.host.write("ctx/Dockerfile", format!("FROM {}\n{command}", shop.base()));
        let ran = Other::Stranger.build(&shop, "context = \"ctx\"");
        ran.exits(1);
        let told = ["Dockerfile:3:1", "apt-get install uidmap", "usermod --add-subuids"];
        for part in told {
            assert!(ran.stdout.contains(part), "no {part}: {}", ran.account());
        }
    }
    shop.host.write("ctx/Dockerfile", format!("FROM {}\nRUN chown app /tmp\n", shop.base()));
    let ran = Other::Stranger.build(&shop, "context = \"ctx\"");
    ran.exits(1);
    let advice = "commands have one user, root, because /etc/subuid has no range for `this user`";
    for part in [advice, "apt-get install uidmap", "build as root"] {
        assert!(ran.stdout.contains(part), "no {part}: {}", ran.account());
    }
}

#[test]
fn what_was_built_before_there_were_more_users_is_removed_too() {
    if !is_root() {
        return;
    }
    let shop = Workshop::new();
    shop.host.write("ctx/Dockerfile", format!("FROM {}\nRUN true > /one\n", shop.base()));
    Other::Stranger.build(&shop, "context = \"ctx\"").exits(0);
    let store = shop.host.path("build-of-other/single/snapshots");
    let count = || std::fs::read_dir(&store).unwrap().count();
    assert!(count() > 0);
    // Another kind of user of the same directory.
    let setup = format!("export WINDLASS_BUILD_DIR={}", shop.host.path("build-of-other").display());
    let shown = shop.host.run_below(&setup, &["cache", "--format", "json"]);
    let shown: Value = serde_json::from_str(&shown.exits(0).stdout).unwrap();
    assert!(shown["bytes"].as_u64().unwrap() > 0, "{shown}");
    shop.host.run_below(&setup, &["cache", "--prune"]).exits(0);
    assert_eq!(count(), 0);
}
