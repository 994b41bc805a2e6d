use std::cell::RefCell;
use std::collections::BTreeMap;

use arm::table::Table;
use serde_json::{Value, json};
use windlass_plugin::oci::Forecast;

use super::*;
use crate::mode::run;
use crate::terms::Terms;

const ONE: &str = "11111111-1111-1111-1111-111111111111";
const DIGEST: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const OTHER: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// Azure by a table, registries by a map; what the host copies is only counted.
#[derive(Default)]
struct World {
    table: Table,
    /// What is where; after an import the target has what `brings` says.
    images: RefCell<BTreeMap<String, String>>,
    brings: Option<(&'static str, &'static str)>,
    is_blind: bool,
    copies: RefCell<Vec<Order>>,
    said: RefCell<Vec<String>>,
}

impl World {
    fn of(table: Table) -> Self {
        Self { table, ..Self::default() }
    }

    fn brings(mut self, place: &'static str, digest: &'static str) -> Self {
        self.brings = Some((place, digest));
        self
    }

    fn has(self, place: &str, digest: &str) -> Self {
        self.images.borrow_mut().insert(place.to_owned(), digest.to_owned());
        self
    }

    fn find(&self, place: &str) -> Result<Option<String>> {
        if self.is_blind {
            return Err(Error::new("denied.oci", "no"));
        }
        let was_imported = self.table.lines().iter().any(|line| line.contains("/importImage"));
        if let (true, Some((there, digest))) = (was_imported, self.brings)
            && there == place
        {
            return Ok(Some(digest.to_owned()));
        }
        Ok(self.images.borrow().get(place).cloned())
    }

    fn heard(&self) -> String {
        self.said.borrow().join("\n")
    }
}

impl Azure for World {
    type Http = Table;

    fn http(&self) -> &Table {
        &self.table
    }

    fn secret(&self, name: &str) -> Result<String> {
        Ok(name.to_owned())
    }

    fn look(&self, reference: &str) -> Result<Option<Seen>> {
        let index = json!({ "manifests": [
            { "digest": OTHER, "mediaType": "m", "size": 3, "platform": { "os": "linux", "architecture": "arm64" } },
        ] });
        let found = self.find(reference)?;
        Ok(found.map(|digest| Seen::read(&digest, "index", index.to_string().as_bytes())))
    }

    fn digest(&self, reference: &str) -> Result<Option<String>> {
        self.find(reference)
    }
}

impl Host for World {
    fn tags(&self, _: &str) -> Result<Vec<String>> {
        Ok(vec!["1".to_owned(), "2".to_owned()])
    }

    fn copy(&self, orders: &[Order], _: &Terms, _: bool) -> Vec<Result<Copied>> {
        self.copies.borrow_mut().extend_from_slice(orders);
        orders.iter().map(|_| Ok(copied(&Seen::of(DIGEST), DIGEST, true))).collect()
    }

    fn forecast(&self, _: &[Order], _: &Terms) -> Vec<Result<Forecast>> {
        Vec::new()
    }

    fn requests(&self) -> BTreeMap<String, u64> {
        BTreeMap::new()
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    fn say(&self, text: &str) {
        self.said.borrow_mut().push(text.to_owned());
    }

    fn complain(&self, text: &str) {
        self.said.borrow_mut().push(text.to_owned());
    }
}

fn registries() -> Value {
    let registry = |name: &str| {
        json!({
            "id": format!("/subscriptions/{ONE}/resourceGroups/rg1/providers/{}/{name}", acr::KIND),
            "name": name, "location": "westeurope",
            "properties": { "loginServer": format!("{name}.azurecr.io") },
        })
    };
    json!({ "value": [registry("myregistry"), registry("mysourceregistry")] })
}

fn listed() -> Table {
    Table::default().then(200, &[], &registries())
}

const DONE: &str =
    "https://management.azure.com/subscriptions/1/operationResults/registries-1?api-version=1&t=2";

/// An import that is taken, and done at the second look.
fn done(table: Table) -> Table {
    let location = [("Location", DONE), ("Retry-After", "1")];
    table.then(202, &location, &Value::Null).then(202, &location, &Value::Null).then(
        200,
        &[],
        &Value::Null,
    )
}

fn inputs(with: &str) -> Inputs {
    let text = format!(
        r#"{{"mode": "server", "identity": "prod", "subscription": "{ONE}", "referrers": false, {with}}}"#
    );
    serde_json::from_str(&text).expect(with)
}

const HOUR: Duration = Duration::from_secs(3600);

fn server(with: &str, world: &World) -> Result<Outcome<Outputs>> {
    run(&inputs(with), false, HOUR, world, world)
}

fn told(outcome: Outcome<Outputs>) -> Outputs {
    outcome.outputs().clone()
}

/// Method, path and body of az's POST, with the secrets of the capture by our names.
fn captured(text: &str) -> (String, Value) {
    let scenario: Value = serde_json::from_str(text).unwrap();
    let exchanges = scenario.get("exchanges").and_then(Value::as_array).unwrap();
    let mut requests = exchanges.iter().filter_map(|exchange| exchange.get("request"));
    let path = |request: &Value| request.get("path").and_then(Value::as_str).unwrap().to_owned();
    let post = requests.find(|request| path(request).contains("/importImage")).unwrap();
    let mut body = post.get("body").cloned().unwrap();
    if let Some(password) = body.pointer_mut("/source/credentials/password") {
        *password = json!("‹pull-pwd›");
    }
    (format!("POST {}", path(post)), body)
}

macro_rules! capture {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/azure/captures/", $name, ".json"))
    };
}

#[test]
fn every_case_is_told_to_azure_as_az_tells_it() {
    let other = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/sourceResourceGroup/\
                 providers/Microsoft.ContainerRegistry/registries/mysourceregistry";
    let user = |name: &str| format!(r#""username": "{name}", "password": "pull-pwd","#);
    let hub = user("dockeruser");
    let principal = user("33333333-3333-3333-3333-333333333333");
    let private = user("u");
    let by_id = format!(r#""source-registry": "{other}","#);
    let (token, by_name) =
        (r#""password": "pull-pwd","#, r#""source-registry": "mysourceregistry","#);
    for (capture, more, source, targets) in [
        (
            capture!("import-dockerhub-library"),
            "",
            "docker.io/library/hello-world:latest",
            "hello-world:latest",
        ),
        (
            capture!("import-dockerhub-creds"),
            &hub,
            "docker.io/tensorflow/tensorflow:latest-gpu",
            "tensorflow:latest-gpu",
        ),
        (
            capture!("import-mcr"),
            "",
            "mcr.microsoft.com/windows/servercore:ltsc2019",
            "servercore:ltsc2019",
        ),
        (
            capture!("import-same-sub-loginserver"),
            "",
            "mysourceregistry.azurecr.io/aci-helloworld:latest",
            "aci-helloworld:latest",
        ),
        (capture!("import-resource-id"), &by_id, "aci-helloworld:latest", "aci-helloworld:latest"),
        (
            capture!("import-registry-name"),
            by_name,
            "aci-helloworld:latest",
            "aci-helloworld:latest",
        ),
        (
            capture!("import-sp-creds"),
            &principal,
            "sourceregistry.azurecr.io/sourcerrepo:tag",
            "targetimage:tag",
        ),
        (
            capture!("import-token-only"),
            token,
            "sourceregistry.azurecr.io/sourcerrepo:tag",
            "targetimage:tag",
        ),
        (
            capture!("import-private-creds"),
            &private,
            "docker.private.example.com/app/img:1",
            "app:1",
        ),
        (
            capture!("import-helm-oci"),
            "",
            "mcr.microsoft.com/oryx/charts/hello:1.0.0",
            "charts/hello:1.0.0",
        ),
        (capture!("import-force"), r#""force": true,"#, "mcr.microsoft.com/hello:1", "exists:1"),
        (capture!("import-multi-tags"), "", "mcr.microsoft.com/hello:1", "a:1 b:2"),
        // az gives a target without a name the source's; here the target always has one.
        (
            capture!("import-no-image"),
            "",
            "docker.io/library/hello-world:latest",
            "library/hello-world:latest",
        ),
    ] {
        let world = World::of(done(listed()));
        let targets =
            targets.split(' ').map(|target| format!(r#""myregistry.azurecr.io/{target}""#));
        let targets = targets.collect::<Vec<_>>().join(", ");
        let with = format!(r#"{more} "source": "{source}", "targets": [{targets}]"#);
        server(&with, &world).expect(&with);
        let (line, body) = captured(capture);
        assert_eq!(world.table.lines().get(1), Some(&line));
        let sent = world.table.calls().get(1).cloned().unwrap().body;
        assert_eq!(serde_json::from_str::<Value>(&sent).unwrap(), body, "{with}");
        // One list, the call, two looks: az lists the registries twice and gets the one besides.
        assert_eq!((world.table.calls().len(), world.table.left()), (4, 0), "{with}");
        assert!(world.copies.borrow().is_empty());
    }
}

#[test]
fn a_digest_is_imported_without_a_tag_unless_one_is_named() {
    let place = format!("myregistry.azurecr.io/aci-helloworld@{DIGEST}");
    for (target, expected) in [
        // az makes a tag of it, `latest`; a target without a tag has none here, as when we copy.
        ("aci-helloworld", json!({ "untaggedTargetRepositories": ["aci-helloworld"] })),
        ("aci-helloworld:latest", json!({ "targetTags": ["aci-helloworld:latest"] })),
    ] {
        let world = World::of(done(listed()));
        let with = format!(
            r#""source": "mysourceregistry.azurecr.io/aci-helloworld@{DIGEST}", "target": "myregistry.azurecr.io/{target}""#
        );
        let outputs = told(server(&with, &world).unwrap());
        let sent: Value = serde_json::from_str(&world.table.calls()[1].body).unwrap();
        let image = format!("aci-helloworld@{DIGEST}");
        assert_eq!(sent.pointer("/source/sourceImage"), Some(&json!(image)));
        for key in ["targetTags", "untaggedTargetRepositories"] {
            assert_eq!(sent.get(key), expected.get(key), "{key}");
        }
        assert_eq!(outputs.digest.as_deref(), Some(DIGEST), "it is known before it is there");
    }
    // It is there already: nothing is imported.
    let world = World::of(listed()).has(&place, DIGEST);
    let with = format!(
        r#""source": "a.example.com/b@{DIGEST}", "target": "myregistry.azurecr.io/aci-helloworld""#
    );
    let outcome = server(&with, &world).unwrap();
    assert!(!told(outcome).changed);
    assert_eq!((world.table.calls().len(), world.table.left()), (1, 0));
}

#[test]
fn what_is_in_the_target_afterwards_is_told() {
    let world = World::of(done(listed())).brings("myregistry.azurecr.io/a:1", DIGEST);
    let with = r#""source": "docker.io/library/a:1", "targets": ["myregistry.azurecr.io/a:1", "myregistry.azurecr.io/b:2"]"#;
    let outputs = told(server(with, &world).unwrap());
    assert_eq!(outputs.mode, Mode::Server);
    assert_eq!((outputs.digest.as_deref(), outputs.changed), (Some(DIGEST), true));
    let targets: Vec<_> =
        outputs.targets.iter().map(|it| (it.reference.as_str(), it.digest.as_deref())).collect();
    assert_eq!(
        targets,
        [("myregistry.azurecr.io/a:1", Some(DIGEST)), ("myregistry.azurecr.io/b:2", None)]
    );
    assert_eq!(outputs.platforms, ["linux/arm64"]);
    let world = World::of(done(listed())).brings("myregistry.azurecr.io/a:1", DIGEST);
    let outputs =
        told(server(&with.replace(", \"myregistry.azurecr.io/b:2\"", ""), &world).unwrap());
    let digests: Vec<&str> = outputs.manifests.iter().map(|it| it.digest.as_str()).collect();
    assert_eq!(digests, [DIGEST, OTHER]);
    assert_eq!(outputs.manifests.first().unwrap().tags, ["1"]);
}

#[test]
fn who_may_import_need_not_be_able_to_read() {
    let world = World { is_blind: true, ..World::of(done(listed())) };
    let with = r#""source": "docker.io/library/a:1", "target": "myregistry.azurecr.io/a:1""#;
    let outputs = told(server(with, &world).unwrap());
    assert_eq!((outputs.digest, outputs.changed), (None, true));
    assert!(world.heard().contains("cannot be read from here"), "{}", world.heard());
}

#[test]
fn a_tag_that_is_right_is_left_and_one_that_is_taken_is_refused() {
    let with = r#""source": "docker.io/library/a:1", "target": "myregistry.azurecr.io/a:1""#;
    let there = |source: &str| {
        World::of(listed())
            .has("myregistry.azurecr.io/a:1", DIGEST)
            .has("docker.io/library/a:1", source)
    };
    let world = there(DIGEST);
    assert!(!told(server(with, &world).unwrap()).changed);
    let world = there(OTHER);
    let error = server(with, &world).unwrap_err();
    assert!(error.is("conflict") && error.hint_text().unwrap().contains("force"), "{error}");
    assert_eq!(world.table.calls().len(), 1);
    // An image of a registry that is named is none of Docker Hub.
    let named = r#""source": "a:1", "source-registry": "mysourceregistry", "target": "myregistry.azurecr.io/a:1""#;
    let world =
        World::of(done(listed())).has("myregistry.azurecr.io/a:1", DIGEST).has("a:1", OTHER);
    assert!(server(named, &world).is_ok(), "only Azure knows");
    // What only Azure can read, only Azure can compare.
    let refusal = json!({ "error": { "code": "Conflict", "message": "Tag a:1 already exists in target registry.", "target": "request" } });
    let location = [("Location", DONE)];
    let table = listed().then(202, &location, &Value::Null).then(409, &[], &refusal);
    let world = World::of(table).has("myregistry.azurecr.io/a:1", DIGEST);
    let error = server(with, &world).unwrap_err();
    assert!(error.is("conflict") && error.message().contains("already exists"), "{error}");
    assert!(error.hint_text().unwrap().contains("force"));
}

#[test]
fn a_source_that_was_read_as_a_stranger_is_told_so() {
    let refusal =
        json!({ "error": { "code": "InvalidParameters", "message": "Error copying blobs." } });
    let world = World::of(listed().then(400, &[], &refusal));
    let with = r#""source": "elsewhere.azurecr.io/a:1", "target": "myregistry.azurecr.io/a:1""#;
    let error = server(with, &world).unwrap_err();
    assert!(
        error.hint_text().unwrap().contains("`elsewhere.azurecr.io` is not in subscription"),
        "{error:?}"
    );
}

#[test]
fn what_azure_refuses_is_copied_here_if_it_may_be() {
    let refusal = json!({ "error": { "code": "InvalidParameters", "message": "Image has more than 50 manifests" } });
    let with = r#""mode": "auto", "identity": "prod", "source": "docker.io/library/a:1", "target": "myregistry.azurecr.io/a:1""#;
    let auto = |table: Table| {
        let world = World::of(table);
        let inputs: Inputs =
            serde_json::from_str(&format!("{{{with}, \"subscription\": \"{ONE}\"}}")).unwrap();
        let done = run(&inputs, false, HOUR, &world, &world);
        (done, world)
    };
    let (done_here, world) = auto(listed().then(400, &[], &refusal));
    assert_eq!(told(done_here.unwrap()).mode, Mode::Client);
    assert_eq!(world.copies.borrow().len(), 1);
    assert!(
        world.heard().contains("more than 50 manifests")
            && world.heard().contains("this machine instead")
    );
    let (there, world) = auto(done(listed()));
    assert_eq!(told(there.unwrap()).mode, Mode::Server);
    assert!(world.heard().contains("signatures"), "{}", world.heard());
    let taken = json!({ "error": { "code": "Conflict", "message": "Tag exists" } });
    let (refused, world) = auto(listed().then(409, &[], &taken));
    assert!(refused.unwrap_err().is("conflict") && world.copies.borrow().is_empty());
    // Why not at all is said, too.
    let world = World::default();
    let inputs: Inputs =
        serde_json::from_str(r#"{"mode": "auto", "source": "a.io/a", "target": "b.io/a"}"#)
            .unwrap();
    run(&inputs, false, HOUR, &world, &world).unwrap();
    assert!(world.heard().contains("no `identity`"), "{}", world.heard());
}

#[test]
fn an_import_that_takes_too_long_is_over_for_us() {
    let location = [("Location", DONE), ("Retry-After", "60")];
    let mut table = listed().then(202, &location, &Value::Null);
    for _ in 0..10 {
        table = table.then(202, &location, &Value::Null);
    }
    let world = World::of(table);
    let inputs = inputs(
        r#""source": "registry.k8s.io/pause:3.9", "target": "myregistry.azurecr.io/pause:3.9""#,
    );
    let error = run(&inputs, false, Duration::from_secs(150), &world, &world).unwrap_err();
    assert!(error.is("timeout") && error.hint_text().unwrap().contains("redirects"), "{error}");
}

#[test]
fn a_dry_run_asks_and_changes_nothing() {
    let world = World::of(listed());
    let inputs =
        inputs(r#""source": "docker.io/library/a:1", "target": "myregistry.azurecr.io/a:1""#);
    let outcome = run(&inputs, true, HOUR, &world, &world).unwrap();
    assert!(told(outcome).changed);
    assert!(world.heard().contains("would import"), "{}", world.heard());
    assert_eq!(world.table.lines().len(), 1);
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_done() {
    for with in [
        r#""source": "a.io/a", "target": "myregistry.azurecr.io/a", "username": "u""#,
        r#""source": "a.io/a", "target": "myregistry.azurecr.io/a", "endpoint": "http://arm.example""#,
        r#""source": "a.io/a", "target": "myregistry.azurecr.io/a", "subscription": "mine""#,
    ] {
        let text = with.replace("\"subscription\"", "\"resource-group\"");
        let world = World::default();
        let outcome = match with.contains("mine") {
            true => {
                let mut inputs = inputs(&text);
                inputs.subscription = Some("mine".to_owned());
                run(&inputs, false, HOUR, &world, &world)
            }
            false => server(with, &world),
        };
        assert!(outcome.unwrap_err().is("invalid"), "{with}");
        assert!(world.table.calls().is_empty());
    }
    let world = World::of(listed());
    let error =
        server(r#""source": "a.io/a", "target": "nosuch.azurecr.io/a""#, &world).unwrap_err();
    assert!(error.is("not-found") && error.hint_text().unwrap().contains("myregistry.azurecr.io"));
    let world = World::of(listed());
    let vault = r#""source-registry": "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/a/providers/Microsoft.KeyVault/vaults/b","#;
    let error =
        server(&format!(r#"{vault} "source": "a", "target": "myregistry.azurecr.io/a""#), &world);
    assert!(error.unwrap_err().message().contains("no registry"));
}

#[test]
fn tags_are_chosen_here_and_imported_there() {
    let world = World::of(done(done(listed())));
    let with =
        r#""source": "a.example.com/b", "target": "myregistry.azurecr.io/b", "all-tags": true"#;
    let outputs = told(server(with, &world).unwrap());
    assert_eq!(outputs.targets.len(), 2);
    let posts = world.table.lines().iter().filter(|line| line.starts_with("POST")).count();
    assert_eq!(posts, 2);
}
