use std::{
    collections::BTreeMap,
    net::SocketAddr,
    os::unix::fs::symlink,
    sync::{Arc, Mutex},
};

use ::oci::{Digest, MemoryRegistry, ServeOptions};
use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header::AUTHORIZATION},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio::{net::TcpListener, task::JoinSet};

mod batch;
mod credential;

use super::*;
use crate::{
    GrantText, Granted,
    recorder::{TestRun, TestRunBuilder},
};

const VALUE: &str = "hunter2-and-more";

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The embedded registry; with a user, it wants to know who asks. Stops when dropped.
struct Registry {
    address: SocketAddr,
    /// The credentials that came.
    seen: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

#[derive(Clone)]
struct Guard {
    /// The one header that is let in; none: everybody.
    wanted: Option<String>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Registry {
    async fn start(user: Option<&str>) -> Self {
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let wanted = user.map(|user| format!("Basic {}", STANDARD.encode(user)));
        let guard = from_fn_with_state(Guard { wanted, seen: Arc::clone(&seen) }, check_user);
        let registry = Arc::new(MemoryRegistry::new());
        let router: Router = ::oci::router(registry, ServeOptions::default()).layer(guard);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, seen, _tasks: tasks }
    }

    /// `localhost:PORT/name`.
    fn at(&self, name: &str) -> String {
        format!("localhost:{}/{name}", self.address.port())
    }

    fn host(&self) -> String {
        format!("localhost:{}", self.address.port())
    }
}

async fn check_user(
    State(Guard { wanted, seen }): State<Guard>,
    request: Request,
    next: Next,
) -> Response {
    let came = request.headers().get(AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
    seen.lock().unwrap().extend(came.clone());
    match wanted.is_some() && wanted != came {
        true => {
            let challenge = [("www-authenticate", "Basic realm=\"test\"")];
            (StatusCode::UNAUTHORIZED, challenge).into_response()
        }
        false => next.run(request).await,
    }
}

fn grant(pull: &[&str], push: &[&str], delete: &[&str]) -> GrantText {
    let owned = |patterns: &[&str]| patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
    GrantText {
        oci_pull: owned(pull),
        oci_push: owned(push),
        oci_delete: owned(delete),
        ..GrantText::default()
    }
}

fn everything(registry: &Registry) -> GrantText {
    let all = [&*registry.at("**"), "oci-layout:**"];
    grant(&all, &all, &all)
}

const PULL: AccessFlags = AccessFlags { pull: true, push: false, delete: false };
const WRITE: AccessFlags = AccessFlags { pull: true, push: true, delete: false };
const ALL: AccessFlags = AccessFlags { pull: true, push: true, delete: true };

/// An image of one layer under `tag`; the digest of its manifest.
async fn put_image(call: &Granted, place: &str, tag: &str) -> String {
    let repository = call.oci.open(place, WRITE).await.unwrap();
    let config = b"{\"os\":\"linux\",\"architecture\":\"arm64\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}";
    let config_type = "application/vnd.oci.image.config.v1+json";
    let layer_type = "application/vnd.oci.image.layer.v1.tar+gzip";
    let config = repository.put_blob(config_type, config.to_vec()).await.unwrap();
    let layer = repository.put_blob(layer_type, vec![7; 100_000]).await.unwrap();
    let entry = |blob: &Descriptor| {
        format!(
            "{{\"mediaType\":\"{}\",\"digest\":\"{}\",\"size\":{}}}",
            blob.media_type, blob.digest, blob.size
        )
    };
    let manifest = format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"{MANIFEST}\",\"config\":{},\"layers\":[{}]}}",
        entry(&config),
        entry(&layer)
    );
    let tags = [tag.to_owned()];
    let put = repository.put_manifest(MANIFEST, manifest.into_bytes(), &tags).await.unwrap();
    put.digest
}

fn tagged(tag: &str) -> CopyRequest {
    CopyRequest { tags: vec![tag.to_owned()], ..CopyRequest::default() }
}

#[tokio::test]
async fn what_is_written_can_be_read_and_is_recorded_with_digests() {
    let (run, registry) = (TestRun::new(), Registry::start(None).await);
    let call = run.call(&everything(&registry));
    let place = registry.at("team/app");
    let digest = put_image(&call, &place, "1.0").await;
    let repository = call.oci.open(&format!("{place}:1.0"), ALL).await.unwrap();
    assert_eq!((repository.name(), repository.selector()), (place.clone(), "1.0".to_owned()));
    let found = repository.resolve("1.0").await.unwrap().unwrap();
    assert_eq!((found.digest.as_str(), found.media_type.as_str()), (digest.as_str(), MANIFEST));
    assert_eq!(repository.resolve("2.0").await.unwrap(), None);
    let manifest = repository.get_manifest(&digest).await.unwrap();
    assert_eq!(Digest::of(&manifest.content).to_string(), digest);
    assert_eq!(repository.tags(None, 10).await.unwrap(), ["1.0"]);
    assert!(repository.tags(Some("1.0"), 10).await.unwrap().is_empty());
    assert!(repository.referrers(&digest, None).await.unwrap().is_empty());
    assert!(repository.delete("1.0").await.unwrap());
    assert!(!repository.delete("1.0").await.unwrap());
    let ledger = run.recorder.ledger();
    let size = manifest.content.len();
    for line in [
        format!("oci put manifest {place}:1.0: {digest} ({size})"),
        format!("oci resolve {place}:1.0: {digest}"),
        format!("oci resolve {place}:2.0: absent"),
        format!("oci get manifest {place}@{digest}: {digest} ({size})"),
        format!("oci tags {place}: 1 tag"),
        format!("oci delete {place}:1.0: deleted"),
    ] {
        assert!(ledger.contains(&line), "{line} in {ledger:#?}");
    }
}

#[tokio::test]
async fn blobs_are_read_in_parts_within_limits() {
    let (run, registry) = (TestRun::new(), Registry::start(None).await);
    let call = run.call(&everything(&registry));
    let repository = call.oci.open(&registry.at("a"), WRITE).await.unwrap();
    let content: Vec<u8> = (0..3_000_000_u32).map(|index| (index % 251) as u8).collect();
    let descriptor =
        repository.put_blob("application/octet-stream", content.clone()).await.unwrap();
    let blob = repository.get_blob(&descriptor).unwrap();
    assert_eq!(blob.descriptor(), descriptor);
    let mib = 1024 * 1024;
    let mut read = Vec::new();
    while read.len() < content.len() {
        read.extend(blob.read(read.len() as u64, mib).await.unwrap());
    }
    assert!(read == content);
    assert!(blob.read(3_000_000, 1).await.unwrap().is_empty());
    assert!(blob.read(u64::MAX, mib).await.unwrap().is_empty());
    assert_eq!(blob.read(0, mib + 1).await.unwrap_err().code, "invalid.oci");
    let small = repository.put_blob("text/plain", b"whole".to_vec()).await.unwrap();
    assert_eq!(repository.get_blob(&small).unwrap().read(0, 100).await.unwrap(), "whole");
    // A descriptor that lies about its size is found out when all of it is read.
    let lie = Descriptor { size: 4, ..small.clone() };
    assert!(repository.get_blob(&lie).unwrap().read(0, 100).await.is_err());
    let missing = Descriptor { digest: Digest::of(b"nowhere").to_string(), ..small };
    let fault = repository.get_blob(&missing).unwrap().read(0, 5).await.unwrap_err();
    assert_eq!(fault.code, "oci.not-found");
    for fault in [
        repository.put_blob("a/b", vec![0; 4 * 1024 * 1024 + 1]).await.unwrap_err(),
        repository.put_manifest(MANIFEST, vec![b' '; 4 * 1024 * 1024 + 1], &[]).await.unwrap_err(),
        repository
            .put_manifest(MANIFEST, b"{}".to_vec(), &["no tag".to_owned()])
            .await
            .unwrap_err(),
        repository.tags(None, 0).await.unwrap_err(),
        repository.tags(None, 1001).await.unwrap_err(),
        repository.resolve("not a tag").await.unwrap_err(),
        repository.referrers("sha256:12", None).await.unwrap_err(),
    ] {
        assert_eq!(fault.code, "invalid.oci", "{fault}");
    }
}

#[tokio::test]
async fn a_copy_moves_what_is_missing_and_says_what_it_did() {
    let (run, registry) = (TestRun::new(), Registry::start(None).await);
    let other = Registry::start(None).await;
    let mut all = everything(&registry);
    all.oci_pull.push(other.at("**"));
    all.oci_push.push(other.at("**"));
    let call = run.call(&all);
    let digest = put_image(&call, &registry.at("base"), "1").await;
    let source = call.oci.open(&registry.at("base"), PULL).await.unwrap();
    let target = call.oci.open(&other.at("mirror/base"), WRITE).await.unwrap();
    let copied = call.oci.copy(&source, "1", &target, &tagged("1")).await.unwrap();
    assert_eq!((copied.descriptor.digest.as_str(), copied.changed), (digest.as_str(), true));
    assert_eq!((copied.sent, copied.platforms), (3, vec!["linux/arm64".to_owned()]));
    assert!(copied.sent_bytes > 100_000);
    let again = call.oci.copy(&source, "1", &target, &tagged("1")).await.unwrap();
    assert_eq!((again.changed, again.sent, again.sent_bytes), (false, 0, 0));
    assert_eq!(again.platforms, [""; 0], "to know them would cost requests of their own");
    assert_eq!(target.resolve("1").await.unwrap().unwrap().digest, digest);
    let lines = run.recorder.lines();
    let (from, to) = (registry.at("base:1"), other.at("mirror/base:1"));
    let line = format!("ledger oci copy {from} to {to}: changed {digest} ({})", copied.sent_bytes);
    assert!(lines.contains(&line), "{lines:#?}");
    let line = format!("ledger oci copy {from} to {to}: unchanged {digest} (0)");
    assert!(lines.contains(&line), "{lines:#?}");
    let title = format!("copy {from} to {}", other.at("mirror/base"));
    assert!(
        lines.iter().any(|line| line.starts_with("start ") && line.contains(&title)),
        "{lines:#?}"
    );
    let bars = lines.iter().filter(|line| line.starts_with("start ")).count();
    let ends = lines.iter().filter(|line| line.starts_with("end ")).count();
    assert_eq!((bars, ends), (1, 1), "a copy that moves nothing shows no bar");
}

#[tokio::test]
async fn a_tag_that_points_elsewhere_is_moved_only_by_force() {
    let (run, registry) = (TestRun::new(), Registry::start(None).await);
    let call = run.call(&everything(&registry));
    put_image(&call, &registry.at("a"), "1").await;
    let source = call.oci.open(&registry.at("a"), WRITE).await.unwrap();
    let empty = format!("{{\"schemaVersion\":2,\"mediaType\":\"{MANIFEST}\",\"layers\":[]}}");
    source.put_manifest(MANIFEST, empty.into_bytes(), &["2".to_owned()]).await.unwrap();
    let fault = call.oci.copy(&source, "1", &source, &tagged("2")).await.unwrap_err();
    assert_eq!(fault.code, "oci.conflict");
    let force = CopyRequest { force: true, ..tagged("2") };
    assert!(call.oci.copy(&source, "1", &source, &force).await.unwrap().changed);
}

#[tokio::test]
async fn layouts_are_places_in_the_workspace() {
    let (run, registry) = (TestRun::new(), Registry::start(None).await);
    let call = run.call(&everything(&registry));
    let digest = put_image(&call, &registry.at("a"), "1").await;
    let source = call.oci.open(&registry.at("a"), PULL).await.unwrap();
    let layout = call.oci.open("oci-layout:out/img:v1", WRITE).await.unwrap();
    assert_eq!((layout.name().as_str(), layout.selector().as_str()), ("oci-layout:out/img", "v1"));
    call.oci.copy(&source, "1", &layout, &tagged("v1")).await.unwrap();
    assert!(run.workspace().join("out/img/oci-layout").is_file());
    // Without a tag the only image is meant; where it may be written, `latest` is a tag like any other.
    let only = call.oci.open("oci-layout:out/img", PULL).await.unwrap();
    assert_eq!(only.resolve(&only.selector()).await.unwrap().unwrap().digest, digest);
    assert_eq!(only.get_manifest(&only.selector()).await.unwrap().descriptor.digest, digest);
    let new = call.oci.open("oci-layout:out/img", WRITE).await.unwrap();
    assert_eq!(new.resolve(&new.selector()).await.unwrap(), None);
    let latest = call.oci.open("oci-layout:out/img:latest", PULL).await.unwrap();
    assert_eq!(latest.resolve(&latest.selector()).await.unwrap(), None);
    let back = call.oci.open(&registry.at("b"), WRITE).await.unwrap();
    call.oci.copy(&layout, "v1", &back, &tagged("1")).await.unwrap();
    assert_eq!(back.resolve("1").await.unwrap().unwrap().digest, digest);
}

#[tokio::test]
async fn archives_are_places_in_the_workspace() {
    let (run, registry) = (TestRun::new(), Registry::start(None).await);
    let text = GrantText {
        oci_pull: vec!["oci-archive:**".to_owned(), registry.at("**")],
        oci_push: vec!["oci-archive:out/*".to_owned(), registry.at("**")],
        ..GrantText::default()
    };
    let call = run.call(&text);
    let digest = put_image(&call, &registry.at("a"), "1").await;
    let source = call.oci.open(&registry.at("a"), PULL).await.unwrap();
    let archive = call.oci.open("oci-archive:out/img.tar:v1", WRITE).await.unwrap();
    assert_eq!(archive.name(), "oci-archive:out/img.tar");
    call.oci.copy(&source, "1", &archive, &tagged("v1")).await.unwrap();
    assert!(run.workspace().join("out/img.tar").is_file());
    // Without a tag the only image is meant.
    let back = call.oci.open("oci-archive:out/img.tar", PULL).await.unwrap();
    assert_eq!(back.resolve(&back.selector()).await.unwrap().unwrap().digest, digest);
    // Where it may be written, `latest` is a tag like any other.
    let new = call.oci.open("oci-archive:out/img.tar", WRITE).await.unwrap();
    assert_eq!(new.resolve(&new.selector()).await.unwrap(), None);
    let fault = call.oci.open("docker-archive:out/img.tar:a:1", PULL).await.err().unwrap();
    assert_eq!(fault.code, "denied.oci");
    let help = "add to `[step.grant]` of the step: \"docker-archive:out/img.tar\" in the list of \
                `oci.pull`";
    assert_eq!(fault.help.unwrap(), help);
    symlink(run.folder.path().join("x.tar"), run.workspace().join("out/link.tar")).unwrap();
    let fault = call.oci.open("oci-archive:out/link.tar", PULL).await.err().unwrap();
    assert_eq!(fault.code, "denied.oci", "{fault}");
}

#[tokio::test]
async fn a_layout_needs_a_pattern_of_its_own_and_stays_in_the_workspace() {
    let run = TestRun::new();
    let text = GrantText {
        workspace_read: vec![".".to_owned()],
        workspace_write: vec![".".to_owned()],
        ..grant(&["oci-layout:**"], &[], &[])
    };
    let call = run.call(&text);
    let fault = call.oci.open("oci-layout:out", WRITE).await.err().unwrap();
    assert_eq!(fault.code, "denied.oci");
    let help = "add to `[step.grant]` of the step: oci.push = [\"oci-layout:out\"]";
    assert_eq!(fault.help.unwrap(), help);
    for place in ["oci-layout:../x", "oci-layout:/tmp/x", "oci-layout:a/../../x", "oci-layout:a\\b"]
    {
        assert_eq!(call.oci.open(place, PULL).await.err().unwrap().code, "invalid.oci", "{place}");
    }
    symlink(run.folder.path(), run.workspace().join("link")).unwrap();
    symlink("/nowhere/at/all", run.workspace().join("dangling")).unwrap();
    // Where this one leads is decided when somebody makes it: not by us, and not now.
    symlink("not-there-yet", run.workspace().join("early")).unwrap();
    for place in [
        "oci-layout:link",
        "oci-layout:link/new",
        "oci-layout:early",
        "oci-layout:dangling",
        "oci-layout:dangling/x",
    ] {
        let fault = call.oci.open(place, PULL).await.err().unwrap();
        assert_eq!(fault.code, "denied.oci", "{place}: {fault}");
        assert!(fault.message.contains("a link leads"), "{place}: {fault}");
    }
    assert!(call.oci.open("oci-layout:new/deep", PULL).await.is_ok());
}

#[tokio::test]
async fn what_is_not_granted_is_not_opened() {
    let (run, registry) = (TestRun::new(), Registry::start(None).await);
    let call = run.call(&grant(&[&registry.at("base/*")], &[&registry.at("mine")], &[]));
    let open = async |place: &str, access: AccessFlags| -> Fault {
        call.oci.open(&registry.at(place), access).await.err().unwrap()
    };
    let fault = open("other/app:1.2", PULL).await;
    assert_eq!((fault.kind, fault.code.as_str()), (Kind::Denied, "denied.oci"));
    let line = format!("\"{}\" in the list of `oci.pull`", registry.at("other/app"));
    assert!(fault.help.unwrap().contains(&line));
    let fault = open("base/a", ALL).await;
    assert!(fault.message.contains("`oci.push`"), "{fault}");
    let push = AccessFlags { push: true, ..AccessFlags::default() };
    assert!(open("base/a", push).await.code == "denied.oci");
    // A host by its case alone is a host for the grant, too: no image of Docker Hub.
    let hub = run.call(&grant(&["docker.io/**"], &[], &[]));
    let fault = hub.oci.open("INTERNAL/secret:1", PULL).await.err().unwrap();
    assert_eq!(fault.code, "denied.oci", "{fault}");
    assert!(hub.oci.open("internal/secret:1", PULL).await.is_ok());
    assert!(call.oci.open(&registry.at("mine"), push).await.is_ok());
    assert_eq!(open("base/a", AccessFlags::default()).await.code, "invalid.oci");
    for text in ["", "https://r.example/a", "r.example/UPPER", "oci:dir", "r.example/a:b c"] {
        let fault = call.oci.open(text, PULL).await.err().unwrap();
        assert_eq!(fault.code, "invalid.oci", "{text}: {fault}");
    }
}

#[tokio::test]
async fn a_repository_does_only_what_it_was_opened_for() {
    let (run, registry) = (TestRun::new(), Registry::start(None).await);
    let call = run.call(&everything(&registry));
    let digest = put_image(&call, &registry.at("a"), "1").await;
    let reader = call.oci.open(&registry.at("a"), PULL).await.unwrap();
    let push = AccessFlags { push: true, ..AccessFlags::default() };
    let writer = call.oci.open(&registry.at("a"), push).await.unwrap();
    let descriptor = reader.resolve("1").await.unwrap().unwrap();
    for fault in [
        reader.put_blob("a/b", vec![]).await.unwrap_err(),
        reader.put_manifest(MANIFEST, vec![], &[]).await.unwrap_err(),
        reader.delete(&digest).await.unwrap_err(),
        writer.resolve("1").await.unwrap_err(),
        writer.get_manifest("1").await.unwrap_err(),
        writer.get_blob(&descriptor).err().unwrap(),
        writer.tags(None, 1).await.unwrap_err(),
        writer.referrers(&digest, None).await.unwrap_err(),
        call.oci.copy(&reader, "1", &reader, &tagged("2")).await.unwrap_err(),
        call.oci.copy(&writer, "1", &writer, &tagged("2")).await.unwrap_err(),
    ] {
        assert_eq!(fault.code, "denied.oci", "{fault}");
        assert!(fault.message.contains("was not opened for"), "{fault}");
    }
}

#[tokio::test]
async fn a_dry_run_looks_and_never_changes() {
    let (run, registry) = (TestRun::new(), Registry::start(None).await);
    let all = everything(&registry);
    let digest = put_image(&run.call(&all), &registry.at("a"), "1").await;
    let call = run.dry_call(&all);
    let repository = call.oci.open(&registry.at("a"), ALL).await.unwrap();
    assert!(repository.resolve("1").await.unwrap().is_some());
    for fault in [
        repository.put_blob("a/b", vec![]).await.unwrap_err(),
        repository.put_manifest(MANIFEST, vec![], &[]).await.unwrap_err(),
        repository.delete(&digest).await.unwrap_err(),
        call.oci.copy(&repository, "1", &repository, &tagged("2")).await.unwrap_err(),
    ] {
        assert!(fault.code == "denied.dry-run" && fault.message.contains("dry run"), "{fault}");
    }
    let forecast = call.oci.forecast(&repository, "1", &repository, &tagged("2")).await.unwrap();
    assert!(forecast.changed);
    assert_eq!(forecast.moves, [("2".to_owned(), None)]);
    let planned = PlannedCopy {
        source: repository.clone(),
        selector: "1".to_owned(),
        target: repository.clone(),
        request: tagged("2"),
    };
    for copied in call.oci.copy_all(vec![planned.clone(), planned], true).await {
        assert_eq!(copied.unwrap_err().code, "denied.dry-run");
    }
    assert_eq!(repository.tags(None, 10).await.unwrap(), ["1"]);
}
