//! The embedded registry: `windlass registry serve`.

use support::{Authority, Embedded, HTPASSWD, Image, PASSWORD, Skopeo, TempDir, str};

use crate::host;

/// Checks, with somebody else's eyes, that all of `image` is at `reference`.
fn assert_whole(image: &Image, skopeo: &Skopeo, reference: &str) {
    assert_eq!(skopeo.digest(reference), image.digest(), "the index at {reference}");
    let folder = TempDir::new().unwrap();
    skopeo.pull_whole(reference, folder.path());
    for (digest, bytes) in &image.blobs {
        let pulled = folder.path().join(digest.trim_start_matches("sha256:"));
        assert_eq!(&std::fs::read(pulled).unwrap(), bytes, "{digest} at {reference}");
    }
}

fn written(image: &Image) -> (TempDir, String) {
    let layout = TempDir::new().unwrap();
    image.write_layout(layout.path(), "it");
    let from = format!("oci:{}:it", layout.path().display());
    (layout, from)
}

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
fn the_files_are_layouts_that_other_tools_read_and_write() {
    let image = Image::multi_arch(&["linux/amd64", "linux/arm64/v8"], 1 << 20);
    let (_layout, from) = written(&image);
    let (host, skopeo) = (host(), Skopeo::new());
    let registry = Embedded::start(&host, &host.path("registry"));
    skopeo.copy_all(&from, &format!("docker://{}/team/app:v1", registry.address()));
    let root = host.path("registry");
    assert_whole(&image, &skopeo, &format!("oci:{}:v1", root.join("team/app").display()));
    // What lies there is served, whoever wrote it.
    skopeo.copy_all(&from, &format!("oci:{}:v2", root.join("other").display()));
    let served = format!("docker://{}/other", registry.address());
    assert_whole(&image, &skopeo, &format!("{served}:v2"));
    assert_eq!(skopeo.tags(&served), ["v2"]);
}

#[test]
fn who_logs_in_over_tls_pushes_and_pulls_and_nobody_else() {
    let image = Image::multi_arch(&["linux/amd64", "linux/arm64/v8"], 1 << 20);
    let (_layout, from) = written(&image);
    let host = host().file("users", HTPASSWD).env("REGISTRY_PASSWORD", PASSWORD);
    let trust = TempDir::new().unwrap();
    let authority = Authority::new(trust.path());
    let [users, certificate, key] = [&host.path("users"), &authority.certificate, &authority.key]
        .map(|path| path.display().to_string());
    let more = ["--htpasswd", &users, "--tls-cert", &certificate, "--tls-key", &key];
    let registry = Embedded::start_with(&host, &host.path("registry"), &more);
    let pushed = format!("docker://{}/team/app:v1", registry.address());
    let skopeo = Skopeo::trusting(trust.path()).logged_in();
    skopeo.copy_all(&from, &pushed);
    assert_whole(&image, &skopeo, &pushed);

    let pipeline = |login: &str| {
        let registry = registry.address();
        let ca = authority.ca.display();
        format!(
            r#"
schema = 1
[pipeline]
name = "import"

[secrets]
login = {{ from = "env", name = "REGISTRY_PASSWORD", only-to = ["127.0.0.1"] }}

[registries."{registry}"]
ca = "{ca}"
insecure = false
{login}

[[step]]
id = "import"
uses = "import-image"
with = {{ source = "{registry}/team/app:v1", target = "oci-layout:out:v1" }}
"#
        )
    };
    host.write("stranger.toml", pipeline(""));
    host.run(&["run", "stranger.toml"]).exits(4);
    host.write("p.toml", pipeline("username = \"anchor\"\npassword = { secret = \"login\" }"));
    let ran = host.run(&["run", "p.toml", "--format", "json"]);
    ran.exits(0);
    assert_eq!(ran.finished("import")["outputs"]["digest"], image.digest());
    assert_whole(&image, &skopeo, &format!("oci:{}:v1", host.path("out").display()));
}

#[test]
fn garbage_goes_beside_a_running_registry() {
    let (old, new) =
        (Image::multi_arch(&["linux/amd64"], 1000), Image::multi_arch(&["linux/amd64"], 2000));
    let (host, skopeo) = (host(), Skopeo::new());
    let root = host.path("registry");
    let registry = Embedded::start(&host, &root);
    let tagged = format!("docker://{}/app:v1", registry.address());
    for image in [&old, &new] {
        skopeo.copy_all(&written(image).1, &tagged);
    }
    let root = root.display().to_string();
    let gc = |more: &[&str]| {
        let arguments = [&["registry", "gc", "--root", &root, "--format", "json"], more].concat();
        let ran = host.run(&arguments);
        ran.exits(0);
        serde_json::from_str::<serde_json::Value>(&ran.stdout).unwrap()
    };
    let young = gc(&["--untagged"]);
    assert_eq!((&young["manifests"], &young["blobs"]), (&0.into(), &0.into()), "all is young");
    let would = gc(&["--untagged", "--older-than", "0s", "--dry-run"]);
    let did = gc(&["--untagged", "--older-than", "0s"]);
    for key in ["repositories", "manifests", "blobs", "bytes"] {
        assert_eq!(would[key], did[key], "{key}");
    }
    // The index and the image in it; the layer of its own and its configuration.
    assert_eq!((&did["manifests"], &did["dry-run"]), (&2.into(), &false.into()));
    assert_whole(&new, &skopeo, &tagged);
    let nothing = gc(&["--untagged", "--older-than", "0s"]);
    assert_eq!((&nothing["manifests"], &nothing["bytes"]), (&0.into(), &0.into()));
    // What went can come again.
    let again = format!("docker://{}/app:v2", registry.address());
    skopeo.copy_all(&written(&old).1, &again);
    assert_whole(&old, &skopeo, &again);
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
