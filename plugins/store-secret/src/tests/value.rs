use super::*;

pub(super) fn mine() -> Value {
    json!({ "vault": "mykeyvault", "name": "mysecret", "secret": "mine" })
}

pub(super) fn with(mut inputs: Value, more: Value) -> Value {
    inputs.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    inputs
}

fn there(more: &Value) -> Table {
    Table::default().then(200, &[], &secret("mysecret", "s3cr3t-mine", more))
}

#[test]
fn a_secret_is_set_as_az_sets_it() {
    let table = Table::default().then(404, &[], &not_found()).then(
        200,
        &[],
        &secret("mysecret", "s3cr3t-mine", &json!({})),
    );
    let (world, found) = run(table, mine());
    let (outputs, summary) = found.unwrap();
    // az: `GET /secrets/nope/?api-version=7.4`, `PUT /secrets/mysecret?api-version=7.4` with
    // `{"value":"s3cr3t","tags":{"file-encoding":"utf-8"}}`, each twice for the challenge. Ours has no
    // tag that nobody asked for.
    assert_eq!(
        world.lines(),
        ["GET /secrets/mysecret/?api-version=7.4", "PUT /secrets/mysecret?api-version=7.4"]
    );
    assert!(world.table.calls()[1].url.starts_with("https://mykeyvault.vault.azure.net/"));
    assert_eq!(world.table.calls()[1].body, r#"{"value":"‹s3cr3t-mine›"}"#);
    assert!(outputs.changed);
    assert_eq!(outputs.version.as_deref(), Some("b60452a73dca42f08b0f38cb5dd532cb"));
    assert_eq!(summary, "stored `mysecret` in `https://mykeyvault.vault.azure.net`");
}

#[test]
fn the_same_is_not_written_again() {
    let (world, found) = run(there(&json!({})), mine());
    let (outputs, _) = found.unwrap();
    assert_eq!((outputs.changed, world.lines().len()), (false, 1));
    assert!(outputs.id.unwrap().contains("/secrets/mysecret/"));
    // Unless it has to be.
    let table = Table::default().then(200, &[], &secret("mysecret", "", &json!({})));
    let (world, found) = run(table, with(mine(), json!({ "only-if-changed": false })));
    assert!(found.unwrap().0.changed);
    assert_eq!(world.lines(), ["PUT /secrets/mysecret?api-version=7.4"]);
}

#[test]
fn another_value_is_a_new_version_and_tags_of_others_stay() {
    let before = json!({ "tags": { "file-encoding": "utf-8", "a": "1" } });
    let table = Table::default().then(200, &[], &secret("mysecret", "s3cr3t-other", &before)).then(
        200,
        &[],
        &secret("mysecret", "", &json!({})),
    );
    let more = json!({ "tags": { "a": "2" }, "content-type": "text/plain", "enabled": true,
        "not-before": "2026-01-01T00:00:00Z", "expires": "2030-01-01T00:00:00Z" });
    let (world, found) = run(table, with(mine(), more));
    found.unwrap();
    // az's body for the same: `contentType`, `tags`, `attributes` with `nbf` and `exp`.
    assert_eq!(
        world.body("PUT", "mysecret"),
        json!({ "value": "‹s3cr3t-mine›", "contentType": "text/plain",
            "tags": { "a": "2", "file-encoding": "utf-8" },
            "attributes": { "enabled": true, "nbf": 1_767_225_600, "exp": 1_893_456_000 } })
    );
}

#[test]
fn what_stands_beside_a_value_is_changed_without_a_new_version() {
    let table =
        there(&json!({ "tags": { "b": "1" } })).then(200, &[], &secret("mysecret", "", &json!({})));
    let more = json!({ "tags": { "a": "1" }, "expires": "90d" });
    let (world, found) = run(table, with(mine(), more));
    let (outputs, summary) = found.unwrap();
    assert_eq!(
        world.lines()[1],
        "PATCH /secrets/mysecret/b60452a73dca42f08b0f38cb5dd532cb?api-version=7.4"
    );
    assert_eq!(
        world.body("PATCH", "mysecret"),
        json!({ "tags": { "a": "1", "b": "1" }, "attributes": { "exp": NOW + 90 * DAY } })
    );
    assert!(outputs.changed && summary.contains("tags, expires"), "{summary}");
}

#[test]
fn a_duration_is_no_difference_until_its_end() {
    for (exp, requests) in [(NOW + 1, 1), (NOW, 2)] {
        let mut table = there(&json!({ "attributes": { "exp": exp } }));
        if requests == 2 {
            table = table.then(200, &[], &secret("mysecret", "", &json!({})));
        }
        let (world, found) = run(table, with(mine(), json!({ "expires": "90d" })));
        assert_eq!((found.unwrap().0.changed, world.lines().len()), (requests == 2, requests));
    }
    // A time is.
    let table = there(&json!({ "attributes": { "exp": NOW + 1 } })).then(
        200,
        &[],
        &secret("mysecret", "", &json!({})),
    );
    assert!(
        run(table, with(mine(), json!({ "expires": "2030-01-01T00:00:00Z" }))).1.unwrap().0.changed
    );
}

#[test]
fn what_cannot_be_compared_is_written() {
    let written = || secret("mysecret", "", &json!({}));
    let (world, found) = run(
        there(&json!({})).then(200, &[], &written()),
        with(mine(), json!({ "secret": "bound" })),
    );
    assert!(found.unwrap().0.changed);
    assert!(world.table.said()[0].contains("only-to"));
    for (status, body) in [
        (403, refusal("Forbidden", "ForbiddenByRbac", "no.")),
        (
            403,
            refusal(
                "Forbidden",
                "SecretDisabled",
                "Operation get is not allowed on a disabled secret.",
            ),
        ),
    ] {
        let table = Table::default().then(status, &[], &body).then(200, &[], &written());
        let (world, found) = run(table, mine());
        assert!(found.unwrap().0.changed);
        assert!(world.table.said()[0].contains("it is written"), "{:?}", world.table.said());
    }
}

#[test]
fn an_empty_value_is_refused_before_anything_is_asked() {
    let (_, found) = run(Table::default(), with(mine(), json!({ "secret": "empty" })));
    let error = found.unwrap_err();
    assert_eq!(error.message(), "the secret `empty` is empty");
    assert!(error.hint_text().unwrap().contains("az ad sp show --query password"));
}

#[test]
fn a_random_value_is_made_once() {
    let inputs = || json!({ "vault": "mykeyvault", "name": "db", "generate": { "length": 40, "alphabet": "hex" } });
    let written = || secret("db", "", &json!({}));
    let table = Table::default().then(404, &[], &not_found()).then(200, &[], &written());
    let (world, found) = run(table, inputs());
    assert!(found.unwrap().0.changed);
    assert_eq!(world.body("PUT", "db"), json!({ "value": "‹s3cr3t-1-40-Hex›" }));
    let there = || Table::default().then(200, &[], &secret("db", "s3cr3t-old", &json!({})));
    let (world, found) = run(there(), inputs());
    assert_eq!((found.unwrap().0.changed, world.made.get()), (false, 0));
    // A new one where it is wanted, and where there is none that is good.
    let (world, found) =
        run(there().then(200, &[], &written()), with(inputs(), json!({ "rotate": true })));
    assert_eq!((found.unwrap().0.changed, world.made.get()), (true, 1));
    let over = json!({ "attributes": { "exp": NOW - 1 } });
    for present in [secret("db", "s3cr3t-old", &over), secret("db", "", &json!({}))] {
        let table = Table::default().then(200, &[], &present).then(200, &[], &written());
        assert!(run(table, inputs()).1.unwrap().0.changed);
    }
    // What cannot be read is not overwritten.
    let table = Table::default().then(403, &[], &refusal("Forbidden", "SecretDisabled", "no."));
    let (world, found) = run(table, inputs());
    assert!(!found.unwrap().0.changed && world.warned.borrow()[0].contains("SecretDisabled"));
    let table = Table::default().then(403, &[], &refusal("Forbidden", "ForbiddenByRbac", "no."));
    assert!(run(table, inputs()).1.unwrap_err().is("denied"));
}

#[test]
fn a_deleted_secret_is_explained_recovered_or_purged() {
    let deleted = || {
        refusal(
            "Conflict",
            "ObjectIsDeletedButRecoverable",
            "Secret mysecret is currently in a deleted but recoverable state.",
        )
    };
    let busy = |code: &str| refusal("Conflict", code, "wait.");
    let begin = || Table::default().then(404, &[], &not_found()).then(409, &[], &deleted());
    let (_, found) = run(begin(), mine());
    let error = found.unwrap_err();
    assert!(error.is("conflict") && error.hint_text().unwrap().contains("deleted = \"recover\""));
    let written = secret("mysecret", "", &json!({}));
    let table = begin()
        .then(
            200,
            &[],
            &secret("mysecret", "s3cr3t-gone", &json!({})).as_object().map_or(json!(null), |map| {
                let mut map = map.clone();
                map.remove("value");
                Value::Object(map)
            }),
        )
        .then(409, &[], &busy("ObjectIsBeingRecovered"))
        .then(409, &[], &busy("ObjectIsBeingRecovered"))
        .then(200, &[], &written);
    let (world, found) = run(table, with(mine(), json!({ "deleted": "recover" })));
    assert!(found.unwrap().0.changed);
    // az: `POST /deletedsecrets/mysecret/recover?api-version=7.4` without a body.
    assert_eq!(world.lines()[2], "POST /deletedsecrets/mysecret/recover?api-version=7.4");
    assert_eq!(world.table.calls()[2].body, "");
    assert_eq!(world.table.now(), Duration::from_secs(4));
    let table = begin()
        .then(204, &[], &Value::Null)
        .then(409, &[], &busy("ObjectIsBeingDeleted"))
        .then(200, &[], &written);
    let (world, found) = run(table, with(mine(), json!({ "deleted": "purge" })));
    assert!(found.unwrap().0.changed);
    // az: `DELETE /deletedsecrets/mysecret?api-version=7.4`.
    assert_eq!(world.lines()[2], "DELETE /deletedsecrets/mysecret?api-version=7.4");
}

#[test]
fn a_vault_that_is_never_done_ends_the_wait() {
    let mut table = Table::default().then(404, &[], &not_found());
    for _ in 0..62 {
        table = table.then(409, &[], &refusal("Conflict", "ObjectIsBeingDeleted", "wait."));
    }
    let (world, found) = run(table, mine());
    assert!(found.unwrap_err().hint_text().unwrap().contains("in a minute"));
    assert_eq!(world.table.now(), Duration::from_secs(120));
}

#[test]
fn each_refusal_says_what_to_do() {
    let rbac = "Caller is not authorized to perform action on resource.\r\nIf role assignments changed recently, please observe propagation time.\r\nCaller: appid=33333333-3333-3333-3333-333333333333;oid=4;iss=https://sts.windows.net/2/\r\nAction: 'Microsoft.KeyVault/vaults/secrets/setSecret/action'\r\nResource: '/subscriptions/1/resourcegroups/rg1/providers/microsoft.keyvault/vaults/deniedkv/secrets/x'\r\nAssignment: (not found)\r\n";
    let policy = "The user, group or application 'appid=3;oid=4' does not have secrets set permission on key vault 'mykeyvault;location=westeurope'.";
    for (status, inner, message, kind, hint) in [
        (
            403,
            "ForbiddenByRbac",
            rbac,
            "denied",
            "`az role assignment create --role \"Key Vault Secrets Officer\" --assignee 33333333-3333-3333-3333-333333333333 --scope /subscriptions/1/resourcegroups/rg1/providers/microsoft.keyvault/vaults/deniedkv`",
        ),
        (
            403,
            "AccessDenied",
            policy,
            "denied",
            "az keyvault set-policy --name mykeyvault --spn 3 ",
        ),
        (403, "ForbiddenByPolicy", "no", "denied", "set-policy --name mykeyvault --spn ID"),
        (
            403,
            "ForbiddenByFirewall",
            "Client address is not authorized",
            "denied",
            "network-rule add --name mykeyvault",
        ),
        (403, "ForbiddenByConnection", "no", "denied", "private endpoint"),
        (401, "", "AKV10032: Invalid issuer.", "unauthorized", "`tenant` is the vault's"),
        (404, "", "no", "not-found", "az keyvault show --name mykeyvault"),
        (400, "", "bad", "invalid", ""),
    ] {
        let table = Table::default().then(status, &[], &refusal("X", inner, message));
        let (_, found) = run(table, with(mine(), json!({ "only-if-changed": false })));
        let error = found.unwrap_err();
        assert!(error.is(kind), "{status} {inner}: {}", error.code());
        assert!(
            error.hint_text().unwrap_or_default().contains(hint),
            "{inner}: {:?}",
            error.hint_text()
        );
        assert!(!error.is_retryable());
    }
    let mut table = Table::default();
    for _ in 0..6 {
        table = table.then(429, &[], &refusal("Throttled", "", "Request was not processed."));
    }
    let (world, found) = run(table, with(mine(), json!({ "only-if-changed": false })));
    let error = found.unwrap_err();
    assert!(error.is_retryable() && error.hint_text().unwrap().contains("retry = "));
    assert_eq!((world.lines().len(), world.table.now()), (6, Duration::from_secs(31)));
    // There is no such vault.
    let mut table = Table::default();
    for _ in 0..6 {
        table = table.error(
            Error::new("transient.http", "`mykeyvault.vault.azure.net` has no address").retryable(),
        );
    }
    let error = run(table, mine()).1.unwrap_err();
    assert!(error.hint_text().unwrap().contains("az keyvault show --name mykeyvault"));
    // A message cannot become a command.
    let odd = "Caller: appid=$(rm -rf /);oid=4\r\nResource: '/a;b/secrets/x'\r\n";
    let table = Table::default().then(403, &[], &refusal("Forbidden", "ForbiddenByRbac", odd));
    let error = run(table, with(mine(), json!({ "only-if-changed": false }))).1.unwrap_err();
    assert!(error.hint_text().unwrap().contains("--assignee ID --scope VAULT-ID"));
}

#[test]
fn a_dry_run_says_what_would_be_done() {
    let gone = json!({ "recoveryId": "x", "scheduledPurgeDate": NOW + 90 * DAY });
    let table = Table::default().then(404, &[], &not_found()).then(200, &[], &gone);
    let (_, found) = look(table, mine());
    let (outputs, summary) = found.unwrap();
    assert_eq!(
        summary,
        "`mysecret` would be stored in `https://mykeyvault.vault.azure.net`; a deleted secret has the name until 2027-02-20T15:27:39Z, see `deleted`"
    );
    assert_eq!((outputs.changed, outputs.version), (true, None));
    let (_, found) = look(there(&json!({})), mine());
    assert!(!found.unwrap().0.changed);
    let (_, found) = look(there(&json!({})), with(mine(), json!({ "content-type": "a/b" })));
    assert_eq!(found.unwrap().1, "would change content-type of `mysecret`");
    let table = Table::default().then(404, &[], &not_found()).then(403, &[], &json!({}));
    let (world, found) = look(table, json!({ "vault": "kv1", "name": "db", "generate": {} }));
    assert_eq!(
        found.unwrap().1,
        "`db` would be generated and stored in `https://kv1.vault.azure.net`"
    );
    assert_eq!(world.made.get(), 0);
}

#[test]
fn a_vault_may_be_elsewhere() {
    for (vault, url) in [
        ("https://kv.vault.azure.cn", "https://kv.vault.azure.cn/secrets/mysecret?"),
        ("https://kv.vault.azure.cn/", "https://kv.vault.azure.cn/secrets/mysecret?"),
        ("https://127.0.0.1:9444/kv/", "https://127.0.0.1:9444/kv/secrets/mysecret?"),
    ] {
        let table = Table::default().then(200, &[], &secret("mysecret", "", &json!({})));
        let (world, found) =
            run(table, with(mine(), json!({ "vault": vault, "only-if-changed": false })));
        found.unwrap();
        assert!(world.table.calls()[0].url.starts_with(url), "{}", world.table.calls()[0].url);
    }
}

#[test]
fn an_answer_that_is_no_answer_is_an_error() {
    for body in ["<html>", "[]", "{\"value\":{}}", "{}"] {
        let table = Table::default().raw(200, &[], body);
        let (_, found) = run(table, with(mine(), json!({ "only-if-changed": false })));
        assert!(found.is_err(), "{body}");
    }
    let table =
        Table::default().raw(200, &[], r#"{"value":"s3cr3t","id":7,"tags":[],"attributes":3}"#);
    let (_, found) = run(table, with(mine(), json!({ "only-if-changed": false })));
    assert_eq!(found.unwrap().0.version, None);
}
