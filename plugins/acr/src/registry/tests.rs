use arm::table::Table;
use serde_json::json;

use super::*;

const ONE: &str = "11111111-1111-1111-1111-111111111111";

fn registry(name: &str, server: &str) -> Value {
    json!({
        "id": format!("/subscriptions/{ONE}/resourceGroups/rg1/providers/{KIND}/{name}"),
        "name": name, "location": "westeurope", "sku": { "name": "Premium" },
        "properties": { "loginServer": server, "roleAssignmentMode": "AbacRepositoryPermissions" },
    })
}

fn scope(subscription: Option<&str>, group: Option<&str>) -> Scope {
    Scope { subscription: subscription.map(str::to_owned), group: group.map(str::to_owned) }
}

#[test]
fn a_registry_is_found_by_login_server_and_by_name() {
    let page = json!({ "value": [
        registry("other", "other.azurecr.io"),
        registry("myregistry", "MyRegistry-d5fhe2.azurecr.io"),
        json!({ "id": "/subscriptions/x", "name": "broken" }),
    ] });
    let table = Table::default().then(200, &[], &page);
    let arm = Arm::new(&table, None).unwrap();
    let registries = Registries::read(&arm, &scope(Some(ONE), None)).unwrap();
    let lines = table.lines();
    assert_eq!(
        lines,
        [format!(
            "GET /subscriptions/{ONE}/providers/Microsoft.ContainerRegistry/registries?api-version={REGISTRIES}"
        )]
    );
    for word in ["myregistry-d5fhe2.azurecr.io", "MYREGISTRY"] {
        let found = registries.expect(word).unwrap();
        assert_eq!((found.name(), found.location.as_str()), ("myregistry", "westeurope"));
        assert!(found.is_abac);
    }
    // A suffix makes no login server.
    let error = registries.expect("myregistry.azurecr.io").unwrap_err();
    assert!(error.is("not-found") && error.message().contains(ONE), "{error}");
    assert!(error.hint_text().unwrap().contains("other.azurecr.io"));
    // All of the subscription was read: no second list.
    assert_eq!(registries.whole(&arm).unwrap(), registries);
    assert_eq!(table.calls().len(), 1);
}

#[test]
fn a_group_narrows_the_list_and_a_source_may_be_beside_it() {
    let table = Table::default().then(200, &[], &json!({ "value": [] })).then(
        200,
        &[],
        &json!({ "value": [registry("src", "src.azurecr.io")] }),
    );
    let arm = Arm::new(&table, None).unwrap();
    let registries = Registries::read(&arm, &scope(Some(ONE), Some("rg 1"))).unwrap_err();
    assert!(registries.is("invalid"), "a group has no space");
    let registries = Registries::read(&arm, &scope(Some(ONE), Some("rg1"))).unwrap();
    assert!(registries.expect("src").unwrap_err().hint_text().unwrap().contains("Reader"));
    assert!(registries.whole(&arm).unwrap().find("src").is_some());
    let lines = table.lines();
    assert!(lines.first().unwrap().contains("/resourceGroups/rg1/providers/"), "{lines:?}");
    assert!(!lines.last().unwrap().contains("resourceGroups"), "{lines:?}");
}

#[test]
fn the_only_subscription_need_not_be_named() {
    let two = json!({ "value": [
        { "subscriptionId": ONE, "state": "Enabled" },
        { "subscriptionId": "22222222-2222-2222-2222-222222222222", "state": "Warned" },
        { "subscriptionId": "33333333-3333-3333-3333-333333333333", "state": "Disabled" },
    ] });
    let one = json!({ "value": [{ "subscriptionId": ONE }] });
    let read = |answer: &Value| {
        let table = Table::default().then(200, &[], answer).then(
            200,
            &[],
            &json!({ "value": [registry("a", "a.azurecr.io")] }),
        );
        let arm = Arm::new(&table, None).unwrap();
        Registries::read(&arm, &Scope::default())
    };
    assert!(read(&one).unwrap().find("a").is_some());
    let error = read(&two).unwrap_err();
    assert!(error.message().contains("2 subscriptions"), "{error}");
    assert!(error.hint_text().unwrap().contains(ONE));
    assert!(read(&json!({ "value": [] })).unwrap_err().is("not-found"));
    let odd = json!({ "value": [{ "subscriptionId": "../x" }] });
    assert!(read(&odd).unwrap_err().is("invalid"));
}

#[test]
fn hosts_that_look_alike_are_none_of_azures() {
    for host in ["a.azurecr.io", "A.AZURECR.CN", "a-b.azurecr.us"] {
        assert!(is_login_server(host), "{host}");
    }
    for host in
        ["azurecr.io", ".azurecr.io", "a.azurecr.io.example.org", "docker.io", "a.azurecr.io:443"]
    {
        assert!(!is_login_server(host), "{host}");
    }
}
