//! What goes wrong with an import, and what this machine does where Azure does not.

use serde_json::json;
use support::{Embedded, Image};

use super::{Emulator, digest_at, fails, import, pair, put, run};
use crate::host;

fn image() -> Image {
    Image::multi_arch(&["linux/amd64", "linux/arm64/v8"], 1000)
}

const SOURCE: &str = "sourceregistry.azurecr.io/app:v1";
const TARGET: &str = "myregistry.azurecr.io/app:v1";

fn failing(times: u32) -> serde_json::Value {
    let message = "Error copying blobs. Internal error";
    let fault = json!({ "kind": "operation-fails", "code": "InternalError", "message": message });
    json!({ "fault": fault, "on": "registries/myregistry", "times": times })
}

#[test]
fn an_import_that_fails_later_is_told_and_auto_copies_from_here_instead() {
    let image = image();
    let host = host();
    let emulator = Emulator::start(&host, &["--registry", "sourceregistry"]);
    let host = emulator.seen_by(host, "s3cr3t");
    // This machine logs in to both.
    put(&host, &image, Image::media_type(), SOURCE);
    emulator.plan(&failing(1));
    let ran = run(&host, "server", &import("server", &pair(SOURCE, TARGET)));
    fails(&ran, &["Error copying blobs. Internal error", "mode = \\\"client"]);
    // By Azure, and by this machine where Azure fails: the same image.
    let by_azure = "myregistry.azurecr.io/by-azure:v1";
    let ran = run(&host, "azure", &import("auto", &pair(SOURCE, by_azure)));
    ran.exits(0);
    assert_eq!(ran.finished("import")["outputs"]["mode"], "server");
    emulator.plan(&failing(1));
    let by_client = "myregistry.azurecr.io/by-client:v1";
    let ran = run(&host, "client", &import("auto", &pair(SOURCE, by_client)));
    ran.exits(0);
    let outputs = &ran.finished("import")["outputs"];
    assert_eq!((&outputs["mode"], &outputs["digest"]), (&json!("client"), &json!(image.digest())));
    assert!(ran.account().contains("copies from this machine instead"), "{}", ran.account());
    for target in [by_azure, by_client] {
        assert_eq!(digest_at(&host, target), image.digest(), "{target}");
    }
}

#[test]
fn what_azure_does_not_reach_is_copied_from_here() {
    let image = image();
    let host = host();
    let near = Embedded::start(&host, &host.path("near"));
    let source = format!("{}/app:v1", near.address());
    put(&host, &image, Image::media_type(), &source);
    let emulator = Emulator::start(&host, &[]);
    let host = emulator.seen_by(host, "s3cr3t").env("NO_PROXY", "127.0.0.1");
    let ran = run(&host, "server", &import("server", &pair(&source, TARGET)));
    fails(&ran, &["is not to be reached from Azure", "copies from this machine"]);
    let ran = run(&host, "auto", &import("auto", &pair(&source, TARGET)));
    ran.exits(0);
    assert_eq!(ran.finished("import")["outputs"]["mode"], "client");
    assert_eq!(digest_at(&host, TARGET), image.digest());
}

#[test]
fn azure_is_asked_again_when_it_is_busy() {
    let image = image();
    let host = host();
    let emulator = Emulator::start(&host, &["--registry", "sourceregistry"]);
    let host = emulator.seen_by(host, "s3cr3t");
    put(&host, &image, Image::media_type(), SOURCE);
    for on in ["importImage", "operationResults"] {
        let fault = json!({ "kind": "throttle", "retry-after": 1 });
        emulator.plan(&json!({ "fault": fault, "on": on, "times": 2 }));
    }
    let ran = run(&host, "busy", &import("server", &pair(SOURCE, TARGET)));
    ran.exits(0);
    assert_eq!(ran.finished("import")["outputs"]["digest"], image.digest());
    assert_eq!(emulator.planned(), 0, "both were met");
}

#[test]
fn an_import_ends_with_the_time_of_its_step_and_says_that_azure_goes_on() {
    let image = image();
    let host = host();
    let emulator = Emulator::start(&host, &["--registry", "sourceregistry"]);
    let host = emulator.seen_by(host, "s3cr3t");
    put(&host, &image, Image::media_type(), SOURCE);
    let fault = json!({ "kind": "throttle", "retry-after": 1 });
    emulator.plan(&json!({ "fault": fault, "on": "operationResults", "times": 1000 }));
    let step = import("server", &pair(SOURCE, TARGET));
    let step = step.replace("[step.with]", "timeout = \"4s\"\n[step.with]");
    let ran = run(&host, "late", &step);
    fails(&ran, &["has begun, but was not done", "Azure goes on with it"]);
    assert_eq!(ran.finished("import")["fault"]["kind"], "timeout");
}
