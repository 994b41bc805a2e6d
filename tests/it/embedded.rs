//! The embedded registry: `windlass registry serve`.

use support::{Embedded, Image, Skopeo, TempDir, str};

use crate::host;

#[test]
fn other_tools_push_and_pull_and_what_they_pushed_outlives_the_process() {
    let image = Image::multi_arch(&["linux/amd64", "linux/arm64/v8"], 1 << 20);
    let layout = TempDir::new().unwrap();
    image.write_layout(layout.path(), "it");
    let from = format!("oci:{}:it", layout.path().display());
    let (host, skopeo) = (host(), Skopeo::new());

    let registry = Embedded::start(&host, &host.path("registry"));
    for name in ["team/app:v1", "team/app:v2", "other:latest"] {
        skopeo.copy_all(&from, &format!("docker://{}/{name}", registry.address()));
    }
    drop(registry);

    let registry = Embedded::start(&host, &host.path("registry"));
    let app = format!("docker://{}/team/app", registry.address());
    assert_eq!(skopeo.tags(&app), ["v1", "v2"]);
    assert_eq!(skopeo.digest(&format!("{app}:v1")), image.digest());
    let pulled = TempDir::new().unwrap();
    skopeo.pull_whole(&format!("{app}:v2"), pulled.path());
    for (digest, bytes) in &image.blobs {
        let path = pulled.path().join(digest.trim_start_matches("sha256:"));
        assert_eq!(&std::fs::read(path).unwrap(), bytes, "{digest}");
    }
    assert_eq!(skopeo.tags(&format!("docker://{}/none", registry.address())), [""; 0]);
}

#[test]
fn two_pushes_at_once_to_one_repository_both_arrive() {
    let host = host();
    let registry = Embedded::start(&host, &host.path("registry"));
    let repository = format!("docker://{}/app", registry.address());
    std::thread::scope(|scope| {
        for number in 0..4_usize {
            let repository = &repository;
            scope.spawn(move || {
                let image = Image::multi_arch(&["linux/amd64"], 1000 + number);
                let layout = TempDir::new().unwrap();
                image.write_layout(layout.path(), "it");
                let from = format!("oci:{}:it", layout.path().display());
                Skopeo::new().copy_all(&from, &format!("{repository}:v{number}"));
                assert_eq!(
                    Skopeo::new().digest(&format!("{repository}:v{number}")),
                    image.digest()
                );
            });
        }
    });
    assert_eq!(Skopeo::new().tags(&repository), ["v0", "v1", "v2", "v3"]);
}

#[test]
fn requests_are_lines_if_asked_for() {
    let host = host();
    let root = host.path("registry").display().to_string();
    let arguments = [
        "registry",
        "serve",
        "--root",
        &root,
        "--listen",
        "127.0.0.1:0",
        "--access-log",
        "--quiet",
    ];
    let mut running = host.spawn(&arguments, b"");
    let address = running.wait_for("address", |stdout, _| {
        stdout
            .split_once("listening on http://")?
            .1
            .split_once('\n')
            .map(|(found, _)| found.to_owned())
    });
    Skopeo::new().tags(&format!("docker://{address}/none"));
    running
        .wait_for("line", |_, stderr| stderr.contains("GET /v2/none/tags/list 404").then_some(()));
}

#[test]
fn an_address_that_is_taken_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ran = host().run(&["registry", "serve", "--root", "r", "--listen", &address]);
    ran.exits(1).stdout_is("").stderr_is(str![[r#"
error: cannot listen on 127.0.0.1:[PORT]
 |
 = cause: Address already in use (os error 98)
 = help: stop what listens there, or choose another port with `--listen 127.0.0.1:0`

"#]]);
}

#[test]
fn a_root_that_is_no_folder_is_told() {
    let host = host().file("r", "a file");
    let ran = host.run(&["registry", "serve", "--root", "r", "--listen", "127.0.0.1:0"]);
    assert_ne!(ran.code, Some(0), "{}", ran.account());
    ran.stdout_is("").stderr_says(&["error: ", "r"]);
}
