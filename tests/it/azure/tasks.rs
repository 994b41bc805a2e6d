//! ACR Tasks end to end: what a pipeline asks for, Azure's emulator really builds.

mod build;
mod runs;
mod story;
mod task;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use serde_json::Value;
use support::{Output, TempDir, TestHost, image_of_layout, write_busybox};

use super::{Emulator, pipeline};
use crate::host;

/// What the pipelines of these tests log in with.
const SECRET: &str = "s3cr3t";

/// An emulated cloud whose builds are this test's own, and who asks it.
struct World {
    host: TestHost,
    emulator: Emulator,
    _builds: TempDir,
}

impl World {
    /// With `more` options of the emulator.
    fn new(more: &[&str]) -> Self {
        let builds = TempDir::new().unwrap();
        let host = host().env("WINDLASS_BUILD_DIR", builds.path());
        let emulator = Emulator::start(&host, more);
        let host = emulator.seen_by(host, SECRET);
        Self { host, emulator, _builds: builds }
    }

    /// Who asks has a variable more.
    fn env(self, name: &str, value: &str) -> Self {
        Self { host: self.host.env(name, value), ..self }
    }

    /// Runs `steps` and gives what was printed.
    fn run(&self, steps: &str) -> Output {
        self.host.write("p.toml", pipeline(steps));
        self.host.run(&["run", "p.toml", "--format", "json", "-v"])
    }

    /// Runs one step with `uses`; `with` is the inside of its table, without the identity.
    fn step(&self, uses: &str, with: &str) -> Output {
        self.run(&format!(
            "[[step]]\nid = \"step\"\nuses = {uses:?}\n[step.with]\nidentity = \"prod\"\n{with}\n"
        ))
    }

    /// Has Azure build, which must succeed; the outputs.
    #[track_caller]
    fn build(&self, with: &str) -> Value {
        outputs(&self.step("build-image", &format!("builder = \"acr-tasks\"\n{with}")))
    }

    /// Does something with a task, which must succeed; the outputs.
    #[track_caller]
    fn task(&self, with: &str) -> Value {
        outputs(&self.step("acr-task", with))
    }

    /// Has Azure build a small root file system with real programs as `SERVER/base/busybox:1`.
    #[track_caller]
    fn make_busybox(&self, server: &str) {
        let root = TempDir::new().unwrap();
        write_busybox(root.path());
        self.host.write(
            "busybox/Dockerfile",
            "FROM scratch\nADD busybox.tar /\nENV PATH=/bin\nCMD [\"/bin/sh\"]\n",
        );
        let mut tar = Command::new("tar");
        tar.args(["--numeric-owner", "--owner=0", "--group=0", "-cf"]);
        tar.arg(self.host.path("busybox/busybox.tar")).arg("-C").arg(root.path()).arg(".");
        assert!(tar.status().unwrap().success());
        self.build(&format!("context = \"busybox\"\ntags = [\"{server}/base/busybox:1\"]"));
    }

    /// The files and the configuration of an image, as who pulls it gets them.
    #[track_caller]
    fn image(&self, reference: &str) -> (support::Tree, Value) {
        let folder = TempDir::new_in(self.host.path(".")).unwrap();
        let name = folder.path().file_name().unwrap().to_str().unwrap();
        self.host.write(
            "pull.toml",
            pipeline(&format!(
                "[[step]]\nid = \"pull\"\nuses = \"import-image\"\n\
                 with = {{ source = {reference:?}, target = \"oci-layout:{name}/image:it\" }}\n"
            )),
        );
        self.host.run(&["run", "pull.toml"]).exits(0);
        image_of_layout(&folder.path().join("image"), "it")
    }

    /// Plans a fault.
    fn fault(&self, planned: &Value) {
        let address = self.emulator.url().trim_start_matches("http://");
        let body = planned.to_string();
        let mut connection = TcpStream::connect(address).unwrap();
        let request = format!(
            "POST /_emulator/faults HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    }

    /// All that the emulator said and all that it keeps of runs, and all that is recorded here.
    fn kept(&self) -> String {
        let mut kept = self.emulator.said();
        let mut folders = vec![self.host.path("emulator/blobs")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => kept += &lossy(&std::fs::read(path).unwrap()),
                }
            }
        }
        kept += &self.host.read("emulator/state.json");
        kept + &lossy(&std::fs::read(self.host.path(".home/state/runs.sqlite")).unwrap())
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The outputs of the step of a run, which must have succeeded.
#[track_caller]
fn outputs(ran: &Output) -> Value {
    ran.exits(0);
    ran.finished("step")["outputs"].clone()
}

/// What a run has logged, line by line.
fn log(ran: &Output) -> String {
    let lines = ran.events("log").into_iter();
    lines.filter_map(|event| Some(format!("{}\n", event["message"].as_str()?))).collect()
}
