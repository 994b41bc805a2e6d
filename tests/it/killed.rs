//! A run that is killed in the middle of a copy, and the one after it.

use support::{
    Access, DockerRegistry, FaultProxy, Image, Moment, Signal, Skopeo, When, push_with_skopeo,
};

use crate::host;

/// Much more than all manifests and headers.
const SHARED_LAYER: usize = 2_000_000;

#[test]
fn a_run_after_one_that_was_killed_goes_on_and_sends_less() {
    let image = Image::multi_arch(&["linux/amd64", "linux/arm64/v8"], SHARED_LAYER);
    let source = DockerRegistry::start(Access::Anonymous);
    let target = DockerRegistry::start(Access::Anonymous);
    push_with_skopeo(&image, &source, Access::Anonymous, "app:v1");
    let proxy = FaultProxy::before(&target.address());
    let host = host().file(
        "p.toml",
        format!(
            "schema = 1\n[pipeline]\nname = \"import\"\n\n[[step]]\nid = \"import\"\n\
             uses = \"import-image\"\nwith = {{ source = \"{}/app:v1\", target = \"{}/app:v1\" }}\n",
            source.address(),
            proxy.address()
        ),
    );
    // All blobs are there, and nothing that refers to them.
    let gate = proxy.hold(When::asked("PUT", "/manifests/").always(), Moment::Before);
    let running = host.spawn(&["run", "p.toml"], b"");
    gate.wait();
    running.signal(Signal::SIGKILL);
    let (status, ..) = running.finish();
    assert!(!status.success());
    let (first, _) = proxy.bytes();
    assert!(first > SHARED_LAYER as u64, "{first} bytes were sent");
    proxy.forget();
    drop(gate);
    let repository = format!("docker://{}/app", target.address());
    assert_eq!(Skopeo::new().tags(&repository), [""; 0], "no tag before all is there");

    host.run(&["run", "p.toml"]).exits(0);
    let (second, _) = proxy.bytes();
    assert!(second < first / 10, "{second} bytes were sent after {first}");
    assert_eq!(Skopeo::new().digest(&format!("{repository}:v1")), image.digest());
}

#[test]
fn a_run_that_is_killed_leaves_the_old_archive_as_it_was() {
    let image = Image::multi_arch(&["linux/amd64"], SHARED_LAYER);
    let source = DockerRegistry::start(Access::Anonymous);
    push_with_skopeo(&image, &source, Access::Anonymous, "app:v1");
    let proxy = FaultProxy::before(&source.address());
    let pipeline = |source: &str| {
        format!(
            "schema = 1\n[pipeline]\nname = \"import\"\n\n[[step]]\nid = \"import\"\n\
             uses = \"import-image\"\n\
             with = {{ source = \"{source}\", target = \"oci-archive:app.tar:v1\", force = true }}\n"
        )
    };
    let small = Image::multi_arch(&["linux/amd64"], 1000);
    let host = host()
        .file("first.toml", pipeline("oci-layout:small:v1"))
        .file("second.toml", pipeline(&format!("{}/app:v1", proxy.address())));
    small.write_layout(&host.path("small"), "v1");
    host.run(&["run", "first.toml"]).exits(0);
    let before = std::fs::read(host.path("app.tar")).unwrap();
    let gate = proxy.hold(When::asked("GET", "/blobs/").always(), Moment::Within);
    let running = host.spawn(&["run", "second.toml"], b"");
    gate.wait();
    running.signal(Signal::SIGKILL);
    let (status, ..) = running.finish();
    assert!(!status.success());
    drop(gate);
    assert!(std::fs::read(host.path("app.tar")).unwrap() == before);
    proxy.forget();
    host.run(&["run", "second.toml"]).exits(0);
    let archive = format!("oci-archive:{}:v1", host.path("app.tar").display());
    assert_eq!(Skopeo::new().digest(&archive), image.digest());
}
