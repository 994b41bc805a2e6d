use super::*;
use crate::role;

pub(super) const REG: &str = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg1/providers/Microsoft.ContainerRegistry/registries/myregistry";
pub(super) const APP: &str = "c4b4c697-4fff-4aa0-b8c2-5f08f4fc3673";
pub(super) const APP_ID: &str = "ceac33e0-e7be-4bb8-8d67-6850df5e7ac6";
pub(super) const SP: &str = "3e3f7e4a-687d-476c-bf86-44bad150b09c";
pub(super) const KEY: &str = "6bc7bc25-79d1-459f-95d4-008d52051b49";
pub(super) const PULL: &str = "/subscriptions/11111111-1111-1111-1111-111111111111/providers/Microsoft.Authorization/roleDefinitions/7f951dda-4ed3-4680-a7ca-43fe172d538d";

pub(super) fn inputs(more: Value) -> Value {
    let mut spec = json!({ "scope": REG });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "vault": "kv1", "service-principal": spec })
}

pub(super) fn list(items: Value) -> Value {
    json!({ "@odata.context": "x", "value": items })
}

/// An application with passwords, each by name, key id and days until its end.
pub(super) fn app(passwords: &[(&str, &str, i64)]) -> Value {
    let passwords: Vec<Value> = passwords
        .iter()
        .map(|(name, key, days)| {
            let end = NOW.checked_add_signed(days * DAY as i64).unwrap();
            let end = crate::wish::time(end).replace('Z', ".0000000+00:00");
            json!({ "displayName": name, "keyId": key, "endDateTime": end, "hint": "emu" })
        })
        .collect();
    json!({ "id": APP, "appId": APP_ID, "displayName": "myregistry-pull", "passwordCredentials": passwords })
}

pub(super) fn sp() -> Value {
    json!({ "id": SP, "appId": APP_ID, "appOwnerOrganizationId": "22222222-2222-2222-2222-222222222222" })
}

pub(super) fn registry(mode: &str) -> Value {
    json!({ "id": REG, "name": "myregistry", "properties": { "roleAssignmentMode": mode } })
}

pub(super) fn added(key: &str) -> Value {
    json!({ "displayName": "windlass-myregistry-pull-pwd", "endDateTime": "2027-11-22T15:27:39Z",
        "keyId": key, "secretText": "s3cr3t-password", "hint": "emu" })
}

pub(super) fn assignment() -> Value {
    let name = role::name(&REG.parse().unwrap(), SP, PULL);
    json!({ "id": format!("{REG}/providers/Microsoft.Authorization/roleAssignments/{name}"),
        "properties": { "roleDefinitionId": PULL, "principalId": SP, "scope": REG, "condition": null } })
}

pub(super) fn user() -> Value {
    secret("myregistry-pull-usr", APP_ID, &json!({ "tags": { "windlass-app-id": APP_ID } }))
}

/// The versions of the user: the list has no order.
pub(super) fn users() -> Value {
    let version = |created: u64, tags: Value| {
        json!({ "id": format!("https://kv1.vault.azure.net/secrets/myregistry-pull-usr/{created}"),
            "attributes": { "enabled": true, "created": created }, "tags": tags })
    };
    json!({ "nextLink": null, "value": [
        version(NOW, json!({ "windlass-app-id": APP_ID })), version(NOW - 9, json!({ "windlass-app-id": "older" })),
    ] })
}

pub(super) fn password(key: &str) -> Value {
    let tags = json!({ "windlass-app-id": APP_ID, "windlass-key-id": key });
    secret(
        "myregistry-pull-pwd",
        "s3cr3t-password",
        &json!({ "tags": tags, "attributes": { "exp": NOW + 365 * DAY } }),
    )
}

/// All that is looked at where everything is there.
pub(super) fn there(app: &Value) -> Table {
    Table::default()
        .then(200, &[], &list(json!([app])))
        .then(200, &[], &list(json!([sp()])))
        .then(200, &[], &registry("LegacyRegistryPermissions"))
        .then(200, &[], &list(json!([assignment()])))
}

pub(super) fn fresh() -> Table {
    Table::default()
        .then(200, &[], &list(json!([])))
        .then(201, &[], &app(&[]))
        .then(201, &[], &sp())
        .then(200, &[], &registry("LegacyRegistryPermissions"))
}

#[test]
fn all_of_it_is_made_with_fewer_requests_than_az_sends() {
    let table = fresh()
        .then(201, &[], &assignment())
        .then(200, &[], &users())
        .then(200, &[], &added(KEY))
        .then(200, &[], &password(KEY));
    let (world, found) = run(table, inputs(json!({})));
    let (outputs, summary) = found.unwrap();
    let name = role::name(&REG.parse().unwrap(), SP, PULL);
    // az: `GET /v1.0/servicePrincipals?$filter=displayName eq 'myregistry-pull'`,
    // `GET /v1.0/applications?$filter=startswith(displayName,'myregistry-pull')`,
    // `POST /v1.0/applications`, `…/addPassword`, `POST /v1.0/servicePrincipals`,
    // `GET …/roleDefinitions?api-version=2022-05-01-preview&$filter=roleName eq 'acrpull'`,
    // `PUT …/roleAssignments/GUID?api-version=2022-04-01`; then `az ad sp list` and two
    // `az keyvault secret set`, each with a challenge: twelve.
    // Ours: the name as a whole, not its beginning; the registry's mode, which az does not look at; the
    // definition is known; the password is made last, so that nothing can fail between it and the vault.
    assert_eq!(
        world.lines(),
        [
            "GET /v1.0/applications?$filter=displayName%20eq%20%27myregistry-pull%27",
            "POST /v1.0/applications",
            "POST /v1.0/servicePrincipals",
            &format!("GET {REG}?api-version=2026-09-01-preview"),
            &format!(
                "PUT {REG}/providers/Microsoft.Authorization/roleAssignments/{name}?api-version=2022-04-01"
            ),
            "PUT /secrets/myregistry-pull-usr?api-version=7.4",
            &format!("POST /v1.0/applications/{APP}/addPassword"),
            "PUT /secrets/myregistry-pull-pwd?api-version=7.4",
        ]
    );
    // The host hides what it keeps wherever it is shown: the id must be none of that.
    assert_eq!(*world.kept.borrow(), ["s3cr3t-password", "s3cr3t-password"]);
    // The bodies are az's, but for the password's name.
    assert_eq!(
        world.body("POST", "/v1.0/applications"),
        json!({ "passwordCredential": {
        "displayName": "windlass-myregistry-pull-pwd", "endDateTime": "2027-11-22T15:27:39Z",
        "startDateTime": "2026-11-22T15:27:39Z" } })
    );
    let calls = world.table.calls();
    let body = |at: usize| serde_json::from_str::<Value>(&calls[at].body).unwrap();
    assert_eq!(body(1), json!({ "displayName": "myregistry-pull", "keyCredentials": [] }));
    assert_eq!(body(2), json!({ "appId": APP_ID, "accountEnabled": true }));
    assert_eq!(
        body(4),
        json!({ "properties": { "principalType": "ServicePrincipal",
        "principalId": SP, "roleDefinitionId": PULL } })
    );
    assert_eq!(body(5), json!({ "value": APP_ID, "tags": { "windlass-app-id": APP_ID } }));
    assert_eq!(
        body(7),
        json!({ "value": "‹s3cr3t-password›",
        "tags": { "windlass-app-id": APP_ID, "windlass-key-id": KEY },
        "attributes": { "exp": NOW + 365 * DAY } })
    );
    let told = serde_json::to_value(&outputs).unwrap();
    assert_eq!(told["app-id"], APP_ID);
    assert_eq!(told["object-id"], SP);
    assert_eq!(told["tenant"], "22222222-2222-2222-2222-222222222222");
    assert_eq!(told["key-id"], KEY);
    assert_eq!(
        (&told["user-secret"], &told["name"]),
        (&json!("myregistry-pull-usr"), &json!("myregistry-pull-pwd"))
    );
    assert_eq!(told["expires"], "2027-11-22T15:27:39Z");
    assert!(told["role-assignments"][0].as_str().unwrap().ends_with(&name.to_string()));
    assert_eq!(
        summary,
        "made `myregistry-pull`, and stored its credentials in `https://kv1.vault.azure.net`"
    );
}

#[test]
fn a_second_run_changes_nothing() {
    let table = there(&app(&[("windlass-myregistry-pull-pwd", KEY, 365)]))
        .then(200, &[], &users())
        .then(200, &[], &password(KEY));
    let (world, found) = run(table, inputs(json!({ "keep-previous": false })));
    let (outputs, summary) = found.unwrap();
    assert!(!outputs.changed, "{summary}");
    assert_eq!(outputs.key_id.as_deref(), Some(KEY));
    assert_eq!(
        world.lines(),
        [
            "GET /v1.0/applications?$filter=displayName%20eq%20%27myregistry-pull%27",
            &format!("GET /v1.0/servicePrincipals?$filter=appId%20eq%20%27{APP_ID}%27"),
            &format!("GET {REG}?api-version=2026-09-01-preview"),
            &format!(
                "GET {REG}/providers/Microsoft.Authorization/roleAssignments?$filter=principalId%20eq%20%27{SP}%27&api-version=2022-04-01"
            ),
            "GET /secrets/myregistry-pull-usr/versions?api-version=7.4",
            "GET /secrets/myregistry-pull-pwd/?api-version=7.4",
        ]
    );
}

#[test]
fn a_password_is_made_anew_where_it_is_not_good_any_more() {
    let ours = "windlass-myregistry-pull-pwd";
    let good = app(&[(ours, KEY, 365)]);
    for (app, stored, more) in [
        // Ends soon; gone from Graph; another is stored; without a value; wanted.
        (app(&[(ours, KEY, 29)]), password(KEY), json!({})),
        (app(&[]), password(KEY), json!({})),
        (good.clone(), password("another"), json!({})),
        (
            good.clone(),
            secret(
                "myregistry-pull-pwd",
                "",
                &json!({ "tags": { "windlass-app-id": APP_ID, "windlass-key-id": KEY } }),
            ),
            json!({}),
        ),
        (good.clone(), secret("myregistry-pull-pwd", "s3cr3t-by-hand", &json!({})), json!({})),
        (good, password(KEY), json!({ "rotate": true })),
    ] {
        let table = there(&app)
            .then(200, &[], &users())
            .then(200, &[], &stored)
            .then(200, &[], &added("new"))
            .then(200, &[], &password("new"));
        let mut inputs = inputs(json!({}));
        inputs.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (world, found) = run(table, inputs);
        let (outputs, summary) = found.unwrap();
        assert_eq!((outputs.changed, outputs.key_id.as_deref()), (true, Some("new")));
        assert!(summary.starts_with("stored a new password"), "{summary}");
        // The earlier one stays good.
        assert_eq!(world.lines().len(), 8);
    }
}

#[test]
fn earlier_passwords_of_ours_go_when_the_new_one_is_stored() {
    let ours = "windlass-myregistry-pull-pwd";
    let app = app(&[(ours, KEY, 10), ("rbac", "other", 100), (ours, "older", 1)]);
    let table = there(&app)
        .then(200, &[], &users())
        .then(200, &[], &password(KEY))
        .then(200, &[], &added("new"))
        .then(200, &[], &password("new"))
        .then(204, &[], &Value::Null)
        .then(
            404,
            &[],
            &json!({ "error": { "code": "Request_ResourceNotFound", "message": "gone" } }),
        );
    let (world, found) = run(table, inputs(json!({ "keep-previous": false })));
    found.unwrap();
    let calls = world.table.calls();
    let removed: Vec<&str> = calls
        .iter()
        .filter(|call| call.url.ends_with("/removePassword"))
        .map(|call| call.body.as_str())
        .collect();
    assert_eq!(removed, [format!(r#"{{"keyId":"{KEY}"}}"#), r#"{"keyId":"older"}"#.to_owned()]);
    assert!(world.lines()[7].starts_with("PUT /secrets/myregistry-pull-pwd?"));
}

#[test]
fn a_password_that_cannot_be_stored_is_removed_again() {
    let table = there(&app(&[]))
        .then(200, &[], &users())
        .then(404, &[], &not_found())
        .then(200, &[], &added("new"))
        .then(403, &[], &refusal("Forbidden", "ForbiddenByRbac", "no."))
        .then(204, &[], &Value::Null);
    let (world, found) = run(table, inputs(json!({})));
    assert!(found.unwrap_err().is("denied"));
    assert_eq!(world.table.calls().last().unwrap().body, r#"{"keyId":"new"}"#);
    // The user is stored first: a vault that may not be written to is found out before there is one.
    let table = fresh().then(201, &[], &assignment()).then(
        403,
        &[],
        &refusal("Forbidden", "ForbiddenByRbac", "no."),
    );
    let (world, found) = run(table, inputs(json!({})));
    assert!(found.unwrap_err().is("denied"));
    assert!(!world.lines().iter().any(|line| line.contains("addPassword")));
}

#[test]
fn what_was_broken_off_is_gone_on_with() {
    // The application is there, nothing else.
    let table = Table::default()
        .then(200, &[], &list(json!([app(&[])])))
        .then(200, &[], &list(json!([])))
        .then(201, &[], &sp())
        .then(200, &[], &registry("LegacyRegistryPermissions"))
        .then(409, &[], &refusal("RoleAssignmentExists", "", "The role assignment already exists."))
        .then(404, &[], &not_found())
        .then(200, &[], &user())
        .then(404, &[], &not_found())
        .then(200, &[], &added(KEY))
        .then(200, &[], &password(KEY));
    let (_, found) = run(table, inputs(json!({})));
    let (outputs, _) = found.unwrap();
    assert_eq!((outputs.changed, outputs.role_assignments), (true, vec![None]));
}

#[test]
fn what_was_just_made_is_waited_for() {
    let graph = |message: &str| json!({ "error": { "code": "Request_BadRequest", "message": message, "innerError": { "date": "x" } } });
    let principal =
        refusal("PrincipalNotFound", "", "Principal 3e3f does not exist in the directory.");
    let table = Table::default()
        .then(200, &[], &list(json!([])))
        .then(201, &[], &app(&[]))
        .then(400, &[], &graph("When using this permission, the backing application of the service principal being created must in the local tenant"))
        .then(400, &[], &graph("The appId 'x' of the service principal does not reference a valid application object."))
        .then(201, &[], &sp())
        .then(200, &[], &registry("LegacyRegistryPermissions"))
        .then(400, &[], &principal)
        .then(201, &[], &assignment())
        .then(200, &[], &user())
        .then(404, &[], &graph("Resource 'x' does not exist"))
        .then(200, &[], &added(KEY))
        .then(200, &[], &password(KEY));
    let (world, found) = run(table, inputs(json!({})));
    found.unwrap();
    assert_eq!(world.table.now(), Duration::from_secs(20));
    // Not for ever, and not for what will not pass.
    let mut table = fresh();
    for _ in 0..36 {
        table = table.then(400, &[], &principal);
    }
    let (world, found) = run(table, inputs(json!({})));
    let error = found.unwrap_err();
    assert!(error.hint_text().unwrap().contains("run it again in a minute"), "{error:?}");
    assert_eq!(world.table.now(), Duration::from_secs(175));
    let table = Table::default().then(200, &[], &list(json!([]))).then(201, &[], &app(&[])).then(
        400,
        &[],
        &graph("Property x is invalid"),
    );
    assert!(run(table, inputs(json!({}))).1.unwrap_err().is("invalid"));
}

#[test]
fn applications_are_told_apart_and_refusals_of_graph_explained() {
    let two = list(json!([app(&[]), app(&[])]));
    let (_, found) = run(Table::default().then(200, &[], &two), inputs(json!({})));
    let error = found.unwrap_err();
    assert!(error.is("conflict") && error.hint_text().unwrap().contains("app-id"));
    let (world, found) =
        run(Table::default().then(200, &[], &list(json!([]))), inputs(json!({ "app-id": APP_ID })));
    assert!(found.unwrap_err().is("not-found"));
    assert_eq!(
        world.lines(),
        [format!("GET /v1.0/applications?$filter=appId%20eq%20%27{APP_ID}%27")]
    );
    for (status, message, hint) in [
        (
            403,
            "Insufficient privileges to complete the operation.",
            "Application.ReadWrite.OwnedBy",
        ),
        (401, "Access token is empty.", "identity = \"NAME\""),
        (400, "Credential type not allowed as per assigned policy", "shorter `valid`"),
    ] {
        let table = Table::default().then(
            status,
            &[],
            &refusal("Authorization_RequestDenied", "", message),
        );
        let error = run(table, inputs(json!({}))).1.unwrap_err();
        assert!(error.hint_text().unwrap().contains(hint), "{error:?}");
    }
    // Answers that are none.
    for answer in [json!({}), list(json!([{}])), list(json!([{ "id": "a/b", "appId": "c" }]))] {
        let error = run(Table::default().then(200, &[], &answer), inputs(json!({}))).1.unwrap_err();
        assert_eq!(error.code(), "azure.odd-answer");
    }
    let table = there(&app(&[])).then(200, &[], &users()).then(404, &[], &not_found()).then(
        200,
        &[],
        &json!({ "keyId": KEY, "secretText": "" }),
    );
    assert_eq!(
        run(table, inputs(json!({}))).1.unwrap_err().message(),
        "Microsoft Graph gave an empty password"
    );
}

#[test]
fn a_dry_run_says_what_would_be_made() {
    let table = Table::default()
        .then(200, &[], &list(json!([])))
        .then(200, &[], &registry("LegacyRegistryPermissions"))
        .then(404, &[], &not_found())
        .then(404, &[], &not_found());
    let (_, found) = look(table, inputs(json!({})));
    let (outputs, summary) = found.unwrap();
    assert_eq!(
        summary,
        "would make the application `myregistry-pull`, make its service principal, give it AcrPull on `myregistry`, store `myregistry-pull-usr`, make a password, and store it as `myregistry-pull-pwd`"
    );
    assert_eq!((outputs.changed, outputs.app_id), (true, None));
    let table = there(&app(&[("windlass-myregistry-pull-pwd", KEY, 365)]))
        .then(200, &[], &users())
        .then(200, &[], &password(KEY));
    assert!(!look(table, inputs(json!({}))).1.unwrap().0.changed);
    let ours = "windlass-myregistry-pull-pwd";
    let table = there(&app(&[(ours, KEY, 365), (ours, "older", 1)])).then(200, &[], &users()).then(
        200,
        &[],
        &password(KEY),
    );
    let (_, found) = look(table, inputs(json!({ "keep-previous": false })));
    assert_eq!(found.unwrap().1, "would remove earlier passwords (1)");
}

#[test]
fn the_local_store_takes_them_too() {
    let inputs = || {
        let mut inputs = inputs(json!({ "user-secret": "usr", "password-secret": "pwd" }));
        inputs.as_object_mut().unwrap().remove("vault");
        inputs["to"] = json!("local");
        inputs
    };
    let table = fresh()
        .then(201, &[], &assignment())
        .then(200, &[], &json!({ "appId": APP_ID }))
        .then(200, &[], &added(KEY));
    let mut world = World::new(table);
    world.run(inputs(), false).unwrap();
    assert!(world.lines().contains(&format!("GET /v1.0/applications/{APP}?$select=appId")));
    assert_eq!(world.secrets.borrow()["usr"], APP_ID);
    assert_eq!(world.secrets.borrow()["pwd"], "s3cr3t-password");
    world.table = there(&app(&[("windlass-pwd", KEY, 365)]));
    let (outputs, _) = world.run(inputs(), false).unwrap();
    assert_eq!(
        (outputs.changed, outputs.expires.as_deref()),
        (false, Some("2027-11-22T15:27:39Z"))
    );
}

#[test]
fn the_newest_version_of_the_user_counts() {
    let version = |created: u64, tags: Value, enabled: bool| {
        json!({ "id": format!("https://kv1.vault.azure.net/secrets/u/{created}"),
            "attributes": { "enabled": enabled, "created": created }, "tags": tags })
    };
    let ours = json!({ "windlass-app-id": APP_ID });
    let next = "https://kv1.vault.azure.net:443/secrets/u/versions?api-version=7.4&$skiptoken=x";
    let page = |found: Value| json!({ "value": [found], "nextLink": null });
    for (newer, is_there) in [
        (version(NOW + 1, ours.clone(), true), true),
        (version(NOW + 1, ours.clone(), false), false),
        (version(NOW + 1, json!({}), true), false),
        (version(NOW - 1, json!({}), true), true),
    ] {
        let mut table = there(&app(&[("x", KEY, 365)]))
            .then(
                200,
                &[],
                &json!({ "value": [version(NOW, ours.clone(), true)], "nextLink": next }),
            )
            .then(200, &[], &page(newer.clone()));
        if !is_there {
            table = table.then(200, &[], &user());
        }
        let (world, found) = run(table.then(200, &[], &password(KEY)), inputs(json!({})));
        let (outputs, summary) = found.unwrap();
        assert_eq!(outputs.changed, !is_there, "{newer}");
        assert_eq!(world.table.calls()[5].url, next);
        assert_eq!(summary.contains("again"), !is_there, "{summary}");
    }
    // Without an end it is no list.
    let mut table = there(&app(&[]));
    for _ in 0..100 {
        table = table.then(200, &[], &json!({ "value": [], "nextLink": next }));
    }
    assert_eq!(run(table, inputs(json!({}))).1.unwrap_err().code(), "azure.odd-answer");
}
