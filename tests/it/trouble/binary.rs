//! Some of it as a user sees it: exit codes, words, records.

use std::time::Duration;

use support::{
    Embedded, FaultProxy, HostileRegistry, Image, Link, Mischief, Moment, Output, Signal, Skopeo,
    TestHost, Trouble, When, poll,
};

use crate::host;

/// More than one piece on any line, little enough for a thin one.
const SHARED_LAYER: usize = 100_000;

/// A pipeline that copies an image between two registries, each behind a broken line.
struct Scene {
    image: Image,
    from: FaultProxy,
    to: FaultProxy,
    /// The target's registry without the line.
    target: Embedded,
    host: TestHost,
    _source: HostileRegistry,
}

impl Scene {
    fn new() -> Self {
        let image = Image::multi_arch(&["linux/amd64", "linux/arm64"], SHARED_LAYER);
        let source = HostileRegistry::with(&image, Mischief::None);
        let host = host();
        let target = Embedded::start(&host, &host.path("registry"));
        let from = FaultProxy::before(&source.address());
        let to = FaultProxy::before(target.address());
        let (source_address, target_address) = (from.address(), to.address());
        host.write(
            "p.toml",
            format!(
                "schema = 1\n[pipeline]\nname = \"import\"\n[[step]]\nid = \"import\"\n\
                 uses = \"import-image\"\n\
                 with = {{ source = \"{source_address}/app:v1\", target = \"{target_address}/app:v1\" }}\n"
            ),
        );
        Self { image, from, to, target, host, _source: source }
    }

    fn run(&self) -> Output {
        self.host.run(&["run", "p.toml", "--quiet"])
    }

    fn repository(&self) -> String {
        format!("docker://{}/app", self.target.address())
    }

    #[track_caller]
    fn has_no_tag(&self) {
        assert_eq!(Skopeo::new().tags(&self.repository()), [""; 0]);
    }

    /// Somebody else finds the whole image under the tag.
    #[track_caller]
    fn has_the_image(&self) {
        let reference = format!("{}:v1", self.repository());
        let skopeo = Skopeo::new();
        assert_eq!(skopeo.digest(&reference), self.image.digest());
        skopeo.pull_whole(&reference, &self.host.path("pulled"));
    }
}

#[test]
fn a_source_that_stays_in_trouble_is_transient_and_named() {
    let scene = Scene::new();
    scene.from.trouble(When::asked("GET", "/blobs/").always(), Trouble::Refuse(503));
    let url = format!("GET http://{}/v2/app/blobs/sha256:", scene.from.address());
    scene.run().exits(5).stderr_says(&["error: step `import` failed", &url, "503", "trouble"]);
    scene.has_no_tag();
}

#[test]
fn a_target_that_stays_in_trouble_is_transient_and_named() {
    let scene = Scene::new();
    scene.to.trouble(When::asked("PUT", "/manifests/").always(), Trouble::Refuse(500));
    let url = format!("PUT http://{}/v2/app/manifests/sha256:", scene.to.address());
    scene.run().exits(5).stderr_says(&[&url, "500"]);
    scene.has_no_tag();
}

#[test]
fn a_token_service_whose_tokens_are_refused_is_unauthorized_and_says_what_to_try() {
    let scene = Scene::new();
    scene.to.want_tokens();
    scene.to.trouble(When::asked("POST", "/uploads/").always(), Trouble::ExpireTokens);
    let table = format!("[registries.\"{}\"]", scene.to.address());
    scene.run().exits(4).stderr_says(&["/v2/app/blobs/uploads/", "401 UNAUTHORIZED", &table]);
    scene.has_no_tag();
}

#[test]
fn a_bit_that_fell_over_is_a_mismatch_and_the_blob_is_named() {
    let scene = Scene::new();
    let (layer, _) = &scene.image.blobs[0];
    scene.from.trouble(When::asked("GET", layer).always(), Trouble::CorruptAnswer);
    let found = format!("blob {layer} of {}/app", scene.from.address());
    scene.run().exits(6).stderr_says(&[&found]);
    scene.has_no_tag();
}

#[test]
fn a_page_to_sign_in_is_told_from_a_registry() {
    let scene = Scene::new();
    scene.to.trouble(When::asked("PUT", "/manifests/v1").always(), Trouble::WebPage);
    let ran = scene.run();
    ran.exits(1).stderr_says(&["/v2/app/manifests/v1", "text/html", "page to sign in"]);
    scene.has_no_tag();
}

#[test]
fn the_record_of_a_failure_says_what_happened() {
    let scene = Scene::new();
    scene.from.trouble(When::asked("GET", "/manifests/sha256:").always(), Trouble::ResetBefore);
    let ran = scene.host.run(&["run", "p.toml", "--format", "json"]);
    ran.exits(5);
    let fault = ran.finished("import")["fault"].clone();
    assert_eq!(fault["kind"], "transient", "{fault:#}");
    assert_eq!(fault["retry"], true, "{fault:#}");
    let place = format!("http://{}/v2/app/manifests/sha256:", scene.from.address());
    assert!(fault.to_string().contains(&place), "{fault:#}");
    scene.has_no_tag();
}

#[test]
fn many_small_troubles_are_overcome() {
    let scene = Scene::new();
    scene.from.want_tokens();
    scene.to.want_tokens();
    scene.from.trouble(When::asked("GET", "/blobs/").behind(1), Trouble::ResetInAnswer);
    scene.from.trouble(When::asked("GET", "/blobs/").behind(2), Trouble::ExpireTokens);
    scene.from.trouble(When::asked("GET", "/manifests/v1"), Trouble::RefuseUntil(429, "0"));
    scene.to.trouble(When::asked("PUT", "/uploads/"), Trouble::ResetInRequest);
    scene.to.trouble(When::asked("POST", "/uploads/").behind(1), Trouble::Refuse(502));
    scene.to.trouble(When::asked("PUT", "/manifests/v1"), Trouble::ResetBehind);
    scene.to.trouble(When::asked("PUT", "/manifests/sha256:"), Trouble::ExpireTokens);
    scene.run().exits(0);
    assert_eq!((scene.from.hits(), scene.to.hits()), (3, 4));
    scene.has_the_image();
}

#[test]
fn a_long_and_thin_line_is_long_enough() {
    let scene = Scene::new();
    let round_trip = Duration::from_millis(20);
    let link = Link { round_trip, bytes_per_second: Some(400_000) };
    scene.from.link(link);
    scene.to.link(link);
    scene.run().exits(0);
    scene.has_the_image();
    let ((_, received), (sent, _)) = (scene.from.bytes(), scene.to.bytes());
    let blobs: usize = scene.image.blobs.iter().map(|(_, bytes)| bytes.len()).sum();
    // Each blob passes once on either side, with manifests beside it.
    let passes = blobs as u64..blobs as u64 + SHARED_LAYER as u64;
    assert!(passes.contains(&received) && passes.contains(&sent), "{received} {sent} {blobs}");
}

#[test]
fn a_run_that_is_killed_in_the_middle_of_a_blob_leaves_no_tag_and_nothing_in_the_way() {
    for (method, part, moment) in [
        ("PUT", "/uploads/", Moment::Within),
        ("PUT", "/manifests/sha256:", Moment::Behind),
        ("PUT", "/manifests/v1", Moment::Before),
    ] {
        let scene = Scene::new();
        let gate = scene.to.hold(When::asked(method, part).always(), moment);
        let running = scene.host.spawn(&["run", "p.toml", "--quiet"], b"");
        gate.wait();
        running.signal(Signal::SIGKILL);
        let (status, ..) = running.finish();
        assert!(!status.success());
        scene.has_no_tag();
        scene.to.forget();
        drop(gate);
        scene.run().exits(0);
        poll("the image", || (!Skopeo::new().tags(&scene.repository()).is_empty()).then_some(()));
        scene.has_the_image();
    }
}
