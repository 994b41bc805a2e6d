use serde_json::{Value, json};

use super::*;
use crate::fake::inputs;

fn group(provisioning: &str, state: &str, exit: Option<i64>, restarts: u64) -> Group {
    let container = ContainerState {
        name: "web".to_owned(),
        state: state.to_owned(),
        restart_count: restarts,
        exit_code: exit,
        detail: None,
    };
    Group {
        provisioning: provisioning.to_owned(),
        state: "Running".to_owned(),
        containers: vec![container],
        ..Group::default()
    }
}

fn judged(more: &Value, group: &Group) -> &'static str {
    match judge(group, &inputs(more)) {
        Verdict::Ready => "ready",
        Verdict::Wait(_) => "wait",
        Verdict::Bad(_) => "bad",
    }
}

#[test]
fn succeeded_is_not_yet_healthy() {
    let services = json!({ "image": "x" });
    let jobs = json!({ "image": "x", "restart": "never" });
    let retried = json!({ "image": "x", "restart": "on-failure" });
    let finished = json!({ "image": "x", "restart": "never", "wait-for": "finished" });
    let accepted = json!({ "image": "x", "wait-for": "accepted" });
    for (more, provisioning, state, exit, restarts, verdict) in [
        (&services, "Succeeded", "Running", None, 0, "ready"),
        (&services, "Succeeded", "running", None, 3, "ready"),
        (&services, "Succeeded", "Running", None, 4, "bad"),
        (&services, "Creating", "Running", None, 0, "wait"),
        (&services, "Creating", "Waiting", None, 4, "bad"),
        (&services, "Failed", "Running", None, 0, "bad"),
        (&services, "Unhealthy", "Running", None, 0, "bad"),
        (&services, "Succeeded", "Waiting", None, 1, "wait"),
        (&services, "Succeeded", "Terminated", Some(0), 0, "wait"),
        (&services, "Succeeded", "", None, 0, "wait"),
        (&services, "", "", None, 0, "wait"),
        (&jobs, "Succeeded", "Terminated", Some(0), 0, "ready"),
        (&jobs, "Succeeded", "Running", None, 0, "ready"),
        (&jobs, "Succeeded", "Terminated", Some(137), 0, "bad"),
        (&jobs, "Succeeded", "Terminated", None, 0, "wait"),
        (&retried, "Succeeded", "Terminated", Some(1), 1, "wait"),
        (&retried, "Succeeded", "Terminated", Some(1), 4, "bad"),
        (&finished, "Succeeded", "Running", None, 0, "wait"),
        (&finished, "Succeeded", "Terminated", Some(0), 0, "ready"),
        (&accepted, "Succeeded", "Waiting", None, 9, "ready"),
        (&accepted, "Pending", "", None, 0, "wait"),
    ] {
        let group = group(provisioning, state, exit, restarts);
        assert_eq!(judged(more, &group), verdict, "{more} {group:?}");
    }
    let mut failed = group("Succeeded", "Running", None, 0);
    failed.state = "Failed".to_owned();
    assert_eq!(judged(&services, &failed), "bad");
    // Where a container says more, that is told.
    let mut ended = group("Succeeded", "Terminated", Some(3), 0);
    ended.state = "Failed".to_owned();
    let Verdict::Bad(why) = judge(&ended, &inputs(&jobs)) else { panic!("it has ended badly") };
    assert_eq!(why, "container `web` has ended with 3");
    failed.containers.clear();
    failed.state = "Running".to_owned();
    assert_eq!(judged(&services, &failed), "wait");
}

#[test]
fn any_answer_of_azure_is_read() {
    let odd = json!({ "properties": {
        "provisioningState": 5, "ipAddress": { "ports": [{ "port": 99999 }], "ip": null },
        "containers": [1, { "name": "a", "properties": { "instanceView": {
            "restartCount": -1, "currentState": { "exitCode": "x" }, "events": [7, {}] } } }],
        "instanceView": { "events": "none" },
    } });
    let read = Group::read(&odd);
    assert_eq!((read.containers.len(), read.port, read.ip), (2, None, None));
    assert_eq!(Group::read(&Value::Null), Group::default());
}
