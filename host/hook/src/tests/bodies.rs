//! What senders say.

use super::{headers, pushes, some};
use crate::{Commit, Delivery, Form, Heard, Push};

const DIGEST: &str = "sha256:fea8895f450959fa676bcc1df0611ea93823a735a01205fd8622846041d0c7cf";

pub(super) fn read(form: Form, head: &[(&str, &str)], body: &str) -> Result<Heard, String> {
    form.read(&headers(head), body.as_bytes()).map_err(|unreadable| unreadable.to_string())
}

/// As distribution writes it, version 2.8.
pub(super) fn event(action: &str, media_type: &str, place: &str) -> String {
    format!(
        r#"{{"id":"320678d8-ca14-430f-8bb6-4ca139cd83f7","timestamp":"2016-03-09T14:44:26.402973972-08:00",
        "action":"{action}","target":{{"mediaType":"{media_type}","size":708,"digest":"{DIGEST}",
        "length":708,"repository":"team/app","url":"http://192.168.100.227:5000/v2/team/app/{place}/{DIGEST}",
        "tag":"v1"}},"request":{{"id":"6df24a34-0959-4923-81ca-14f09767db19",
        "addr":"192.168.64.11:42961","host":"192.168.100.227:5000","method":"PUT","useragent":"curl/7.38.0"}},
        "actor":{{}},"source":{{"addr":"xtal.local:5000","instanceID":"a53db899-3b4b-4a62-a067-8dd013beaca4"}}}}"#
    )
}

pub(super) const IMAGE: &str = "application/vnd.oci.image.index.v1+json";
const BLOB: &str = "application/octet-stream";

#[test]
fn distribution_tells_of_manifests_among_other_things() {
    let push = Push {
        id: some("320678d8-ca14-430f-8bb6-4ca139cd83f7"),
        host: some("192.168.100.227:5000"),
        repository: "team/app".to_owned(),
        tag: some("v1"),
        digest: some(DIGEST),
        at: some("2016-03-09T14:44:26.402973972-08:00"),
    };
    let body = |events: &[String]| format!("{{\"events\":[{}]}}", events.join(","));
    let said = |events: &[String]| read(Form::Distribution, &[], &body(events));
    let ignored = Ok(Heard::Ignored("no manifest was pushed"));
    let of_manifest = event("push", IMAGE, "manifests");
    assert_eq!(said(std::slice::from_ref(&of_manifest)), pushes(vec![push.clone()]));
    assert_eq!(
        said(&[
            event("pull", IMAGE, "manifests"),
            event("push", BLOB, "blobs"),
            of_manifest,
            event("mount", BLOB, "blobs"),
            event("push", "application/vnd.later+json", "manifests"),
        ]),
        pushes(vec![push.clone(), push])
    );
    assert_eq!(said(&[event("push", BLOB, "blobs"), event("delete", "", "manifests")]), ignored);
    assert_eq!(said(&[]), ignored);
    let deleted = r#"{"id":"x","action":"delete","target":{"digest":"sha256:1","repository":"a"}}"#;
    assert_eq!(said(&[deleted.to_owned()]), ignored);
    assert!(read(Form::Distribution, &[], "{}").unwrap_err().starts_with("missing field `events`"));
}

#[test]
fn azure_container_registry_tells_of_images_and_charts() {
    let image = format!(
        r#"{{"id":"cb8c3971-9adc-488b-xxxx-43cbb4974ff5","timestamp":"2017-11-17T16:52:01.343145347Z",
        "action":"push","target":{{"mediaType":"application/vnd.docker.distribution.manifest.v2+json",
        "size":524,"digest":"{DIGEST}","length":524,"repository":"hello-world","tag":"v1"}},
        "request":{{"id":"3cbb6949-7549-4fa1-xxxx-a6d5451dffc7","host":"myregistry.azurecr.io",
        "method":"PUT","useragent":"docker/17.09.0-ce"}}}}"#
    );
    let push = Push {
        id: some("cb8c3971-9adc-488b-xxxx-43cbb4974ff5"),
        host: some("myregistry.azurecr.io"),
        repository: "hello-world".to_owned(),
        tag: some("v1"),
        digest: some(DIGEST),
        at: some("2017-11-17T16:52:01.343145347Z"),
    };
    let heard = |push: Push| {
        let id = push.id.clone();
        Ok(Heard::Delivery(Delivery { id, pushes: vec![push], commits: Vec::new() }))
    };
    assert_eq!(read(Form::Acr, &[], &image), heard(push));
    let chart = r#"{"id":"6356e9e0","timestamp":"2019-03-05T23:45:31.2614267Z","action":"chart_push",
        "target":{"mediaType":"application/vnd.acr.helm.chart","size":25265,"digest":"sha256:8075",
        "repository":"repo","tag":"wordpress-5.4.0.tgz","name":"wordpress","version":"5.4.0.tgz"}}"#;
    let push = Push {
        id: some("6356e9e0"),
        host: None,
        repository: "repo".to_owned(),
        tag: some("wordpress-5.4.0.tgz"),
        digest: some("sha256:8075"),
        at: some("2019-03-05T23:45:31.2614267Z"),
    };
    assert_eq!(read(Form::Acr, &[], chart), heard(push));
    let action =
        |action: &str| read(Form::Acr, &[], &image.replace("\"push\"", &format!("\"{action}\"")));
    for other in ["delete", "quarantine", "chart_delete", "something_new"] {
        assert_eq!(action(other), Ok(Heard::Ignored("nothing was pushed")), "{other}");
    }
    let ping = r#"{"id":"1","timestamp":"2017","action":"ping","target":{},"request":{}}"#;
    assert_eq!(read(Form::Acr, &[], ping), Ok(Heard::Ignored("a ping")));
    let nowhere = r#"{"id":"1","action":"push","target":{"tag":"v1"}}"#;
    assert_eq!(
        read(Form::Acr, &[], nowhere).unwrap_err(),
        "a push without a repository; expected an event, such as \
         {\"action\": \"push\", \"target\": {\"repository\": …}}"
    );
}

#[test]
fn docker_hub_tells_of_tags() {
    let body = |at: &str| {
        format!(
            r#"{{"callback_url":"https://registry.hub.docker.com/u/svendowideit/testhook/hook/2141b5bi5/",
            "push_data":{{"pushed_at":{at},"pusher":"trustedbuilder","tag":"latest"}},
            "repository":{{"comment_count":0,"dockerfile":"FROM\u0009debian\n","is_official":false,
            "name":"testhook","namespace":"svendowideit","repo_name":"svendowideit/testhook",
            "repo_url":"https://registry.hub.docker.com/u/svendowideit/testhook/","star_count":0}}}}"#
        )
    };
    let push = |at: Option<String>| Push {
        host: some("docker.io"),
        repository: "svendowideit/testhook".to_owned(),
        tag: some("latest"),
        at,
        ..Push::default()
    };
    let at = some("2014-12-03T00:22:41Z");
    assert_eq!(read(Form::DockerHub, &[], &body("1417566161")), pushes(vec![push(at.clone())]));
    assert_eq!(read(Form::DockerHub, &[], &body("1.417566161e+09")), pushes(vec![push(at)]));
    for no_moment in ["-1", "1e300", "null", "253402300800"] {
        assert_eq!(read(Form::DockerHub, &[], &body(no_moment)), pushes(vec![push(None)]));
    }
}

pub(super) fn grid(id: &str, kind: &str, data: &str) -> String {
    format!(
        r#"{{"id":"{id}","topic":"/subscriptions/s/registries/demo","subject":"aci-helloworld:v1",
        "eventType":"{kind}","eventTime":"2018-04-25T21:39:47.6549614Z","data":{data},
        "dataVersion":"1.0","metadataVersion":"1"}}"#
    )
}

pub(super) fn cloud(id: &str, kind: &str, data: &str) -> String {
    format!(
        r#"{{"id":"{id}","source":"/subscriptions/s/registries/demo","subject":"aci-helloworld:v1",
        "type":"{kind}","time":"2018-04-25T21:39:47.6549614Z","data":{data},"specversion":"1.0"}}"#
    )
}

pub(super) const PUSHED: &str = "Microsoft.ContainerRegistry.ImagePushed";
pub(super) const ASKED: &str = "Microsoft.EventGrid.SubscriptionValidationEvent";

#[test]
fn event_grid_speaks_two_schemas() {
    let data = format!(
        r#"{{"id":"31c51664","timestamp":"2018-04-25T21:39:47.276585742Z","action":"push",
        "target":{{"mediaType":"application/vnd.docker.distribution.manifest.v2+json","size":3023,
        "digest":"{DIGEST}","length":3023,"repository":"aci-helloworld","tag":"v1"}},
        "request":{{"id":"7c66f28b","host":"demo.azurecr.io","method":"PUT","useragent":"docker/18.03.0-ce"}}}}"#
    );
    let push = Push {
        id: some("31c51664"),
        host: some("demo.azurecr.io"),
        repository: "aci-helloworld".to_owned(),
        tag: some("v1"),
        digest: some(DIGEST),
        at: some("2018-04-25T21:39:47.276585742Z"),
    };
    let said = |body: &str| read(Form::EventGrid, &[("aeg-event-type", "Notification")], body);
    let one = pushes(vec![push.clone()]);
    assert_eq!(said(&format!("[{}]", grid("1", PUSHED, &data))), one);
    assert_eq!(said(&cloud("1", PUSHED, &data)), one);
    assert_eq!(said(&format!(" [{}]", cloud("1", PUSHED, &data))), one);
    let binary = [("ce-id", "1"), ("ce-type", PUSHED), ("ce-specversion", "1.0")];
    assert_eq!(read(Form::EventGrid, &binary, &data), one);
    let bare = data.replace(r#""id":"31c51664","timestamp":"2018-04-25T21:39:47.276585742Z","#, "");
    let named =
        Push { id: some("831e1650"), at: some("2018-04-25T21:39:47.6549614Z"), ..push.clone() };
    let chart = PUSHED.replace("Image", "Chart");
    assert_eq!(
        said(&format!("[{},{}]", grid("1", PUSHED, &data), grid("831e1650", &chart, &bare))),
        pushes(vec![push, named])
    );
    let deleted = grid("1", "Microsoft.ContainerRegistry.ImageDeleted", "{\"target\":7}");
    let ignored = Ok(Heard::Ignored("no event tells of a push"));
    assert_eq!(said(&format!("[{deleted}]")), ignored, "its data is not looked at");
    assert_eq!(said("[]"), ignored);
    let odd = grid("1", PUSHED, "{\"action\":\"push\",\"target\":7}");
    assert!(said(&format!("[{odd}]")).unwrap_err().starts_with("invalid type: integer `7`"));
    assert!(said(&cloud("1", PUSHED, "null")).unwrap_err().starts_with("invalid type: null"));
}

#[test]
fn event_grid_asks_before_it_sends() {
    let ask = |data: &str| {
        let body = format!("[{}]", grid("1", ASKED, data));
        read(Form::EventGrid, &[("aeg-event-type", "SubscriptionValidation")], &body)
    };
    let data = r#"{"validationCode":"512d38b6-c7b8-40c8-89fe-f46f9e9622b6",
                   "validationUrl":"https://rp-eastus2.eventgrid.azure.net:553/validate?id=5"}"#;
    let code = "512d38b6-c7b8-40c8-89fe-f46f9e9622b6".to_owned();
    assert_eq!(ask(data), Ok(Heard::Handshake(code)));
    for none in ["{}", "null", "{\"validationCode\":\"\"}", "{\"validationCode\":5}"] {
        let error = ask(none).unwrap_err();
        assert!(error.ends_with("expected a validation event with data.validationCode"), "{error}");
    }
}

#[test]
fn github_tells_of_commits_and_images() {
    let said = |event: &str, body: &str| {
        let id = ("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958");
        let head = [id, ("x-github-event", event), ("content-type", "application/json")];
        read(Form::Github, &head, body)
    };
    let id = some("72d3162e-cc78-11e3-81ab-4c9367dc0958");
    let body = r#"{"ref":"refs/heads/main","before":"0000","after":"6113728f27ae82c7b1a177c8d03f9e96e0adf246",
        "deleted":false,"repository":{"id":1,"full_name":"Codertocat/Hello-World"},
        "head_commit":null,"commits":[]}"#;
    let commit = Commit {
        repository: "Codertocat/Hello-World".to_owned(),
        reference: "refs/heads/main".to_owned(),
        id: "6113728f27ae82c7b1a177c8d03f9e96e0adf246".to_owned(),
    };
    let pushed = Ok(Heard::Delivery(Delivery {
        id: id.clone(),
        pushes: Vec::new(),
        commits: vec![commit.clone()],
    }));
    assert_eq!(said("push", body), pushed);
    let form: String =
        url::form_urlencoded::Serializer::new(String::new()).append_pair("payload", body).finish();
    let head = [("x-github-event", "push"), ("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(
        read(Form::Github, &head, &form),
        Ok(Heard::Delivery(Delivery { commits: vec![commit], ..Delivery::default() }))
    );
    assert!(read(Form::Github, &head, "pay=1").unwrap_err().contains("the field `payload`"));
    let deleted = body.replace("\"deleted\":false", "\"deleted\":true");
    assert_eq!(said("push", &deleted), Ok(Heard::Ignored("a branch or a tag was deleted")));
    assert_eq!(said("ping", "{\"zen\":\"Design for failure.\"}"), Ok(Heard::Ignored("a ping")));
    assert_eq!(said("star", "{}"), Ok(Heard::Ignored("neither a push nor a package")));
    assert!(read(Form::Github, &[], body).unwrap_err().starts_with("no header X-GitHub-Event"));

    let package = |tag: &str| {
        format!(
            r#"{{"action":"published","registry_package":{{"id":10696,"name":"hello-world",
            "namespace":"Codertocat","ecosystem":"CONTAINER","package_version":{{"id":57755791,
            "version":"{DIGEST}","container_metadata":{{"tag":{{"name":"{tag}","digest":"{DIGEST}"}},
            "labels":{{}},"manifest":{{}}}},"package_url":"ghcr.io/Codertocat/hello-world:{tag}"}}}}}}"#
        )
    };
    let image = |tag: Option<String>| {
        let push = Push {
            host: some("ghcr.io"),
            repository: "codertocat/hello-world".to_owned(),
            tag,
            digest: some(DIGEST),
            ..Push::default()
        };
        let id = id.clone();
        Ok(Heard::Delivery(Delivery { id, pushes: vec![push], commits: Vec::new() }))
    };
    assert_eq!(said("registry_package", &package("v1")), image(some("v1")));
    assert_eq!(said("package", &package("").replace("registry_package", "package")), image(None));
    let npm = r#"{"action":"published","package":{"package_version":{"container_metadata":null,
                  "package_url":"https://npm.pkg.github.com/x"}}}"#;
    assert_eq!(said("package", npm), Ok(Heard::Ignored("no image was published")));
}

#[test]
fn anybody_says_anything_in_json() {
    let delivery = |id: Option<String>| Ok(Heard::Delivery(Delivery { id, ..Delivery::default() }));
    for body in ["", " \n", "null", "[1,2]", "{\"a\":{\"b\":[]}}", "\"text\""] {
        assert_eq!(read(Form::Any, &[], body), delivery(None), "{body}");
    }
    for name in ["X-Request-Id", "Idempotency-Key", "X-GitHub-Delivery", "X-Gitlab-Event-UUID"] {
        assert_eq!(read(Form::Any, &[(name, "7b1a")], "{}"), delivery(some("7b1a")), "{name}");
    }
    assert!(read(Form::Any, &[], "a=b").unwrap_err().contains("expected JSON, or no body at all"));
    let long = "x".repeat(513);
    assert!(read(Form::Any, &[("x-request-id", &long)], "").unwrap_err().contains("512 bytes"));
}
