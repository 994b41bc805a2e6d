use serde_json::{Value, json};

use super::{ImageConfig, rfc3339};

fn round(config: Value) -> Value {
    let read = ImageConfig::read(&config.to_string()).unwrap();
    serde_json::from_str(&read.write(0).unwrap()).unwrap()
}

#[test]
fn what_is_read_is_written() {
    let settings = json!({
        "Env": ["PATH=/bin", "A=b=c"],
        "Entrypoint": ["/app"],
        "Cmd": ["serve"],
        "WorkingDir": "/srv",
        "User": "app:app",
        "Labels": { "a": "1" },
        "ExposedPorts": { "80/tcp": {} },
        "Volumes": { "/data": {} },
        "StopSignal": "SIGTERM",
        "Healthcheck": { "Test": ["CMD", "true"], "Interval": 5_000_000_000_i64, "Retries": 3 },
        "Shell": ["/bin/bash", "-c"],
        "OnBuild": ["RUN true"],
        "ArgsEscaped": true,
    });
    let history = json!([{ "created_by": "one" }, { "created_by": "two", "empty_layer": true }]);
    let config = json!({
        "config": settings,
        "history": history,
        "rootfs": { "diff_ids": ["sha256:1"] },
    });
    let written = round(config);
    assert_eq!(written["config"], settings);
    assert_eq!(written["history"], history);
}

#[test]
fn what_other_builders_leave_behind_is_not_kept() {
    let config = json!({ "config": { "Hostname": "4711", "Image": "sha256:1", "User": "" } });
    assert_eq!(round(config)["config"], json!({}));
}

#[test]
fn each_layer_has_an_entry_in_the_history() {
    let check = |history: Value, layers: usize, expect: Value| {
        let diff_ids = vec!["sha256:1"; layers];
        let written = round(json!({ "history": history, "rootfs": { "diff_ids": diff_ids } }));
        assert_eq!(written["history"], expect);
    };
    let untold = json!({ "comment": "not told" });
    check(json!(null), 2, json!([untold, untold]));
    check(json!([{ "created_by": "a" }]), 2, json!([untold, { "created_by": "a" }]));
    check(json!([{ "created_by": "a" }, { "created_by": "b" }]), 1, json!([untold]));
}

#[test]
fn what_is_no_configuration_is_refused() {
    for text in ["", "[]", "null", "{"] {
        assert_eq!(ImageConfig::read(text).unwrap_err().code(), "invalid.base", "{text}");
    }
}

#[test]
fn times_are_written_as_configurations_have_them() {
    let check = |seconds, expect| assert_eq!(rfc3339(seconds), expect);
    check(0, "1970-01-01T00:00:00Z");
    check(315_532_800, "1980-01-01T00:00:00Z");
    check(951_826_154, "2000-02-29T12:09:14Z");
    check(1_709_251_199, "2024-02-29T23:59:59Z");
    check(4_102_444_800, "2100-01-01T00:00:00Z");
}
