//! `acr-task`: tasks of a registry, made, changed, run and shown.

use serde_json::json;

use super::{World, log, outputs};

const TASK: &str = r#"registry = "myregistry.azurecr.io"
name = "taskhelloworld"
images = ["helloworld:{% raw %}{{.Run.ID}}{% endraw %}"]
context = "https://github.com/me/hello.git#main"
file = "Dockerfile-app"
args = { REGISTRY_NAME = "myregistry.azurecr.io" }
assign-identity = ["[system]"]"#;

const ID: &str = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg1\
                  /providers/Microsoft.ContainerRegistry/registries/myregistry/tasks/taskhelloworld";

const NAMED: &str = "registry = \"myregistry\"\nname = \"taskhelloworld\"\n";

#[test]
fn a_task_is_made_once_and_changed_where_it_is_another_one() {
    let world = World::new(&[]);
    let made = world.task(TASK);
    assert_eq!((&made["id"], &made["changed"]), (&json!(ID), &json!(true)), "{made}");
    assert_eq!((&made["status"], &made["differences"]), (&json!("Enabled"), &json!([])));
    let principal = made["principal-id"].as_str().unwrap();
    assert_eq!(principal.len(), 36, "{made}");

    let again = world.task(TASK);
    assert_eq!((&again["changed"], &again["differences"]), (&json!(false), &json!([])), "{again}");
    assert_eq!(again["principal-id"], principal);

    let other = TASK.replace("Dockerfile-app", "Dockerfile").replace("REGISTRY_NAME", "REGISTRY");
    let changed = world.task(&format!("{other}\ndisabled = true"));
    assert_eq!(changed["changed"], true);
    let differences = changed["differences"].to_string();
    for part in ["dockerFilePath", "arguments", "status"] {
        assert!(differences.contains(part), "{part}: {differences}");
    }
    assert_eq!(
        (&changed["status"], &changed["principal-id"]),
        (&json!("Disabled"), &json!(principal))
    );
    let shown = world.task(&format!("action = \"show\"\n{NAMED}"));
    assert_eq!(
        (&shown["status"], &shown["changed"]),
        (&json!("Disabled"), &json!(false)),
        "{shown}"
    );

    // A task that is turned off is not run.
    let ran = world.step("acr-task", &format!("action = \"run\"\n{NAMED}"));
    assert_ne!(ran.code, Some(0));
    assert!(ran.account().contains("disabled"), "{}", ran.account());
    assert_eq!(world.task(&format!("action = \"delete\"\n{NAMED}"))["changed"], true);
    assert_eq!(world.task(&format!("action = \"delete\"\n{NAMED}"))["changed"], false);
    let ran = world.step("acr-task", &format!("action = \"show\"\n{NAMED}"));
    assert_ne!(ran.code, Some(0));
    assert!(ran.account().contains("taskhelloworld"), "{}", ran.account());
}

#[test]
fn a_credential_of_another_registry_is_added_once() {
    let world = World::new(&["--registry", "mybase"]);
    world.task(TASK);
    let add = format!("action = \"credential-add\"\n{NAMED}login-server = \"mybase.azurecr.io\"\n");
    let system = format!("{add}use-identity = \"[system]\"");
    assert_eq!(world.task(&system)["changed"], true);
    assert_eq!(world.task(&system)["changed"], false);
    // What is sealed cannot be compared, and is kept from who reads the task.
    let ran = world.step("acr-task", &format!("{add}username = \"me\"\npassword = \"app\""));
    assert_eq!(outputs(&ran)["changed"], true);
    assert!(!ran.account().contains(super::SECRET));
    // A change of the task leaves them alone.
    let changed = world.task(&TASK.replace("Dockerfile-app", "Dockerfile"));
    assert_eq!(changed["changed"], true);
    let state = world.host.read("emulator/state.json");
    assert!(state.contains("mybase.azurecr.io") && state.contains("userName"));
    let ran = world.step("acr-task", &add);
    assert_ne!(ran.code, Some(0));
    assert!(ran.account().contains("use-identity"), "{}", ran.account());
}

#[test]
fn runs_of_a_task_and_of_builds_are_listed() {
    let world = World::new(&[]);
    world.host.write("app/Dockerfile", "FROM scratch\nCOPY . /\n");
    let built = world.build("context = \"app\"\ntags = [\"myregistry.azurecr.io/app:1\"]");
    assert_eq!(built["run-id"], "ca1");
    world.task(TASK);
    // Nothing leads to that repository.
    let ran = world.step("acr-task", &format!("action = \"run\"\n{NAMED}"));
    assert_ne!(ran.code, Some(0));
    assert!(ran.account().contains("run `ca2` failed in Azure"), "{}", ran.account());
    assert!(log(&ran).contains("Run ID: ca2 failed"), "{}", log(&ran));
    let queued = world.task(&format!("action = \"run\"\nno-wait = true\n{NAMED}"));
    assert_eq!((&queued["run-id"], &queued["changed"]), (&json!("ca3"), &json!(true)));

    let list = |more: &str| {
        let listed =
            world.task(&format!("action = \"list-runs\"\nregistry = \"myregistry\"\n{more}"));
        let runs = listed["runs"].as_array().unwrap().clone();
        let ids: Vec<String> =
            runs.iter().map(|run| run["id"].as_str().unwrap().to_owned()).collect();
        (ids.join(" "), runs)
    };
    let (ids, runs) = list("");
    assert_eq!(ids, "ca3 ca2 ca1");
    let first = &runs[2];
    assert_eq!((&first["task"], &first["trigger"]), (&json!(null), &json!("Manual")));
    assert_eq!((&first["status"], &first["platform"]), (&json!("Succeeded"), &json!("linux")));
    assert_eq!(first["images"], json!(["myregistry.azurecr.io/app:1"]));
    assert_eq!(first["digests"], json!([built["digest"]]));
    assert!(first["finished"].as_str() >= first["started"].as_str(), "{first}");
    assert_eq!(
        (&runs[1]["task"], &runs[1]["status"]),
        (&json!("taskhelloworld"), &json!("Failed"))
    );
    assert_eq!(list("top = 1").0, "ca3");
    assert_eq!(list("status = \"Succeeded\"").0, "ca1");
    assert_eq!(list("name = \"taskhelloworld\"").0, "ca3 ca2");
    assert_eq!(list("status = \"Canceled\"").0, "");
}
