use super::*;

const REG: &str = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg1/providers/Microsoft.ContainerRegistry/registries/myregistry";
const VERSION: &str = "api-version=2026-09-01-preview";

fn inputs(more: Value) -> Value {
    let mut spec = json!({ "registry": REG, "name": "puller", "repositories": ["app/web"] });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "vault": "kv1", "scope-map-token": spec })
}

fn missing() -> Value {
    refusal("ResourceNotFound", "", "The Resource was not found.")
}

fn map() -> Value {
    json!({ "id": format!("{REG}/scopeMaps/puller-map"), "properties": { "provisioningState": "Succeeded",
        "actions": ["repositories/app/web/metadata/read", "repositories/app/web/content/read"] } })
}

fn token(passwords: Value) -> Value {
    json!({ "id": format!("{REG}/tokens/puller"), "name": "puller", "properties": {
        "provisioningState": "Succeeded", "status": "enabled",
        "scopeMapId": format!("{REG}/scopeMaps/puller-map"),
        "credentials": { "passwords": passwords } } })
}

fn made(passwords: Value) -> Value {
    json!({ "username": "puller", "passwords": passwords })
}

fn one(slot: &str) -> Value {
    json!({ "name": slot, "value": format!("s3cr3t-{slot}"), "creationTime": "2026-11-22T15:27:40.1234567+00:00",
        "expiry": "2027-11-22T15:27:39+00:00" })
}

fn told(slot: &str) -> Value {
    let mut one = one(slot);
    one.as_object_mut().unwrap().remove("value");
    one
}

fn stored(slot: &str) -> Value {
    let tags = json!({ "windlass-token": "myregistry/puller", "windlass-password": format!("{slot} 2026-11-22T15:27:40Z") });
    secret(
        "puller-pwd",
        &format!("s3cr3t-{slot}"),
        &json!({ "tags": tags, "attributes": { "exp": NOW + 365 * DAY } }),
    )
}

fn user() -> Value {
    secret("puller-usr", "puller", &json!({ "tags": { "windlass-token": "myregistry/puller" } }))
}

fn users() -> Value {
    let mut user = user();
    user.as_object_mut().unwrap().remove("value");
    json!({ "value": [user] })
}

#[test]
fn a_token_is_made_and_its_password_stored() {
    let place = format!("{REG}/operationResults/x?{VERSION}");
    let table = Table::default()
        .then(404, &[], &missing())
        .then(201, &[], &map())
        .then(404, &[], &missing())
        .then(201, &[], &token(json!([])))
        .then(200, &[], &user())
        .then(202, &[("location", &place), ("retry-after", "1")], &Value::Null)
        .then(202, &[], &json!({ "status": "Creating" }))
        .then(200, &[], &made(json!([one("password1")])))
        .then(200, &[], &made(json!([one("password1")])))
        .then(200, &[], &stored("password1"));
    let (world, found) = run(table, inputs(json!({})));
    let (outputs, summary) = found.unwrap();
    assert_eq!(
        world.lines(),
        [
            format!("GET {REG}/scopeMaps/puller-map?{VERSION}"),
            format!("PUT {REG}/scopeMaps/puller-map?{VERSION}"),
            format!("GET {REG}/tokens/puller?{VERSION}"),
            format!("PUT {REG}/tokens/puller?{VERSION}"),
            "PUT /secrets/puller-usr?api-version=7.4".to_owned(),
            format!("POST {REG}/generateCredentials?{VERSION}"),
            format!("GET {place}"),
            format!("GET {place}"),
            // One password, not two: the host keeps back what it could not take apart.
            format!("GET {place}"),
            "PUT /secrets/puller-pwd?api-version=7.4".to_owned(),
        ]
    );
    assert_eq!(
        world.body("PUT", "scopeMaps"),
        json!({ "properties": { "actions":
        ["repositories/app/web/content/read", "repositories/app/web/metadata/read"] } })
    );
    assert_eq!(
        world.body("PUT", "tokens"),
        json!({ "properties": {
        "scopeMapId": format!("{REG}/scopeMaps/puller-map"), "status": "enabled" } })
    );
    assert_eq!(
        world.body("POST", "generate"),
        json!({ "tokenId": format!("{REG}/tokens/puller"),
        "expiry": "2027-11-22T15:27:39Z", "name": "password1" })
    );
    assert_eq!(world.body("PUT", "puller-usr")["value"], "puller");
    let body = world.body("PUT", "puller-pwd");
    assert_eq!(body["value"], "‹s3cr3t-password1›");
    assert_eq!(body["tags"]["windlass-password"], "password1 2026-11-22T15:27:40Z");
    assert_eq!(body["attributes"]["exp"], NOW + 365 * DAY);
    assert_eq!(outputs.token, Some(format!("{REG}/tokens/puller")));
    assert_eq!(outputs.password_secret.as_deref(), Some("puller-pwd"));
    assert!(summary.contains("the token `puller`"), "{summary}");
}

#[test]
fn a_second_run_changes_nothing_and_a_new_password_takes_the_other_place() {
    let there = |slot: &str| {
        Table::default()
            .then(200, &[], &map())
            .then(200, &[], &token(json!([told(slot)])))
            .then(200, &[], &users())
            .then(200, &[], &stored("password1"))
    };
    let (world, found) = run(there("password1"), inputs(json!({})));
    assert!(!found.unwrap().0.changed);
    assert_eq!(world.lines().len(), 4);
    // It is not the token's any more; at once, and with both passwords in the answer.
    let table = there("password2")
        .then(200, &[], &made(json!([one("password1"), one("password2")])))
        .then(200, &[], &stored("password2"));
    let (world, found) = run(table, inputs(json!({})));
    assert!(found.unwrap().0.changed);
    assert_eq!(world.body("POST", "generate")["name"], "password2");
    assert_eq!(world.body("PUT", "puller-pwd")["value"], "‹s3cr3t-password2›");
    assert!(!look(there("password1"), inputs(json!({}))).1.unwrap().0.changed);
    let (_, found) = look(there("password2"), inputs(json!({})));
    assert_eq!(found.unwrap().1, "would make a password in `puller-pwd`");
}

#[test]
fn an_operation_is_followed_by_its_status() {
    let (status, place) =
        ("https://management.azure.com/op?a=1", "https://management.azure.com/at?a=1");
    let begin = || {
        Table::default()
            .then(200, &[], &token(json!([])))
            .then(200, &[], &users())
            .then(404, &[], &not_found())
            .then(202, &[("azure-asyncoperation", status), ("location", place)], &Value::Null)
            .then(200, &[], &json!({ "status": "Creating" }))
    };
    let spec = json!({ "scope-map": "puller-map", "repositories": [] });
    let table = begin()
        .then(200, &[], &json!({ "status": "Succeeded" }))
        .then(200, &[], &made(json!([one("password1"), one("password2")])))
        .then(200, &[], &stored("password1"));
    run(table, inputs(spec.clone())).1.unwrap();
    let (_, found) =
        run(begin().then(200, &[], &json!({ "status": "Failed" })), inputs(spec.clone()));
    assert_eq!(found.unwrap_err().code(), "azure.operation-failed");
    // Never done.
    let mut table = begin();
    for _ in 0..149 {
        table = table.then(200, &[], &json!({ "status": "Creating" }));
    }
    assert!(run(table, inputs(spec.clone())).1.unwrap_err().is("timeout"));
    // Neither a password nor a place where it will be.
    let table = Table::default()
        .then(200, &[], &token(json!([])))
        .then(200, &[], &users())
        .then(404, &[], &not_found())
        .then(202, &[], &Value::Null);
    assert_eq!(run(table, inputs(spec)).1.unwrap_err().code(), "azure.odd-answer");
}
