//! Blobs that take long, over lines that break: what has passed does not pass again.

use support::{
    Access, DockerRegistry, Embedded, FaultProxy, Image, Skopeo, TestHost, Trouble, When,
    push_with_skopeo,
};

use crate::host;
use crate::import::pipeline;

/// Much more than sockets hold, and more than one chunk of an upload.
const LAYER: usize = 40 << 20;

/// What may pass twice: the rest of a chunk, and what was on the line when it broke.
const SLACK: u64 = 20 << 20;

/// A pipeline that copies a large image over a line on either side.
struct Scene {
    image: Image,
    from: FaultProxy,
    to: FaultProxy,
    host: TestHost,
    repository: String,
    _source: DockerRegistry,
}

impl Scene {
    /// With a target that is at `address`.
    fn new(host: TestHost, address: &str) -> Self {
        let image = Image::multi_arch(&["linux/amd64"], LAYER);
        let source = DockerRegistry::start(Access::Anonymous);
        push_with_skopeo(&image, &source, Access::Anonymous, "app:v1");
        let (from, to) = (FaultProxy::before(&source.address()), FaultProxy::before(address));
        let with =
            format!("source = \"{}/app:v1\"\ntarget = \"{}/app:v1\"", from.address(), to.address());
        host.write("p.toml", pipeline(&with));
        let repository = format!("docker://{address}/app");
        Self { image, from, to, host, repository, _source: source }
    }

    #[track_caller]
    fn copies(&self) {
        self.host.run(&["run", "p.toml", "--quiet"]).exits(0);
        let copied = format!("{}:v1", self.repository);
        assert_eq!(Skopeo::new().digest(&copied), self.image.digest());
        Skopeo::new().pull_whole(&copied, &self.host.path("pulled"));
    }

    /// The same, where the colon may be written otherwise.
    fn hex(&self) -> &str {
        self.layer().split_once(':').unwrap().1
    }

    /// The layer, as a part of paths.
    fn layer(&self) -> &str {
        &self.image.blobs[0].0
    }
}

#[track_caller]
fn passed_once(what: &str, bytes: u64) {
    let least = LAYER as u64;
    assert!((least..least + SLACK).contains(&bytes), "{bytes} bytes {what} for {LAYER}");
}

#[test]
fn a_download_that_breaks_off_goes_on_where_it_was_and_the_upload_does_not_notice() {
    let host = host();
    let target = Embedded::start(&host, &host.path("registry"));
    let scene = Scene::new(host, target.address());
    let get = When::asked("GET", scene.layer());
    scene.from.trouble(get.clone().times(2), Trouble::ResetInAnswer);
    scene.from.trouble(get, Trouble::CutAnswer);
    scene.copies();
    assert_eq!((scene.from.hits(), scene.to.hits()), (3, 0));
    passed_once("received", scene.from.bytes().1);
    passed_once("sent", scene.to.bytes().0);
    assert_eq!(scene.to.counts().get("PATCH"), None, "one request has all the bytes");
}

#[test]
fn an_upload_that_breaks_off_goes_on_where_it_was() {
    let host = host();
    let target = Embedded::start(&host, &host.path("registry"));
    let scene = Scene::new(host, target.address());
    scene.to.trouble(When::asked("PUT", scene.hex()), Trouble::ResetInRequest);
    scene.to.trouble(When::asked("PATCH", "/uploads/"), Trouble::ResetInRequest);
    scene.copies();
    assert_eq!(scene.to.hits(), 2);
    passed_once("sent", scene.to.bytes().0);
}

#[test]
fn a_registry_that_forgets_an_upload_that_broke_off_gets_it_again() {
    let target = DockerRegistry::start(Access::Anonymous);
    let scene = Scene::new(host(), &target.address());
    scene.to.trouble(When::asked("PUT", scene.hex()), Trouble::ResetInRequest);
    scene.copies();
    assert_eq!(scene.to.hits(), 1);
}

#[test]
fn a_token_that_ends_in_the_middle_costs_a_token_and_not_the_bytes() {
    let host = host();
    let target = Embedded::start(&host, &host.path("registry"));
    let scene = Scene::new(host, target.address());
    scene.from.want_tokens();
    scene.to.want_tokens();
    scene.from.trouble(When::asked("GET", scene.layer()), Trouble::ResetInAnswer);
    scene.from.trouble(When::asked("GET", scene.layer()), Trouble::ExpireTokens);
    scene.to.trouble(When::asked("PUT", "/manifests/"), Trouble::ExpireTokens);
    scene.copies();
    assert_eq!((scene.from.hits(), scene.to.hits()), (2, 1));
    assert_eq!((scene.from.tokens_given(), scene.to.tokens_given()), (2, 2));
    passed_once("received", scene.from.bytes().1);
    passed_once("sent", scene.to.bytes().0);
}
