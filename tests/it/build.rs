//! `build-image`: Dockerfiles built by the real program, in a registry of its own.

mod attached;
mod cache;
mod context;
mod declared;
mod features;
mod left;
mod limits;
mod mapped;
mod oracle;
mod rebase;
mod rootless;
mod sources;
mod story;

use std::sync::OnceLock;

use serde_json::Value;
use support::{Embedded, TempDir, TestHost, write_busybox};

use crate::host;

/// A registry with `base/busybox:1`, shared by the tests of this process, and a place to build.
pub(crate) struct Workshop {
    pub(crate) host: TestHost,
    registry: Embedded,
    files: TempDir,
}

impl Workshop {
    pub(crate) fn new() -> Self {
        let files = TempDir::new().unwrap();
        // What is built is this test's own business; compiled plugins are everybody's.
        let host =
            host().env("WINDLASS_BUILD_DIR", files.path().join("build")).env("TOKEN", "s3cr3t");
        let registry = Embedded::start(&host, &files.path().join("registry"));
        let workshop = Self { host, registry, files };
        workshop.make_base();
        workshop
    }

    /// The registry's address.
    pub(crate) fn registry(&self) -> &str {
        self.registry.address()
    }

    /// Where what is built is kept.
    pub(crate) fn builds(&self) -> std::path::PathBuf {
        self.files.path().join("build")
    }

    /// `ADDRESS/base/busybox:1`.
    pub(crate) fn base(&self) -> String {
        format!("{}/base/busybox:1", self.registry())
    }

    /// Builds the base from nothing, as anybody would, in the folder `base`, which stays.
    fn make_base(&self) {
        static ROOT: OnceLock<TempDir> = OnceLock::new();
        let root = ROOT.get_or_init(|| {
            let root = TempDir::new().unwrap();
            write_busybox(root.path());
            root
        });
        let archive = self.host.path("busybox.tar");
        let mut tar = std::process::Command::new("tar");
        tar.args(["--numeric-owner", "--owner=0", "--group=0", "-cf"]).arg(&archive);
        assert!(tar.arg("-C").arg(root.path()).arg(".").status().unwrap().success());
        let dockerfile = "FROM scratch\nADD busybox.tar /\nENV PATH=/bin\nCMD [\"/bin/sh\"]\n";
        self.host.write("base/Dockerfile", dockerfile);
        std::fs::rename(&archive, self.host.path("base/busybox.tar")).unwrap();
        let with = format!("context = \"base\"\ntags = [{:?}]", self.base());
        self.build(&with);
    }

    /// A pipeline with one step `build`; `with` is the inside of its table.
    pub(crate) fn pipeline(&self, with: &str) -> String {
        let bases = format!("bases = [\"{}/**\"]\n", self.registry());
        let bases = if with.contains("bases = ") { String::new() } else { bases };
        format!(
            "schema = 1\n[pipeline]\nname = \"build\"\n\n[secrets]\ntoken = {{ from = \"env\", name = \"TOKEN\" }}\n\n\
             [[step]]\nid = \"build\"\nuses = \"build-image\"\n[step.with]\n{bases}{with}\n"
        )
    }

    /// Runs a build, and gives what it printed.
    pub(crate) fn try_build(&self, with: &str) -> support::Output {
        self.host.write("p.toml", self.pipeline(with));
        self.host.run(&["run", "p.toml", "--format", "json"])
    }

    /// Runs a build, which must succeed, and gives its outputs.
    #[track_caller]
    pub(crate) fn build(&self, with: &str) -> Value {
        let ran = self.try_build(with);
        ran.exits(0);
        ran.finished("build")["outputs"].clone()
    }
}
