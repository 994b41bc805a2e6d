use super::principal::*;
use super::*;
use crate::role;

#[test]
fn a_registry_with_permissions_for_each_repository_has_other_roles() {
    for (role, guid) in [
        ("AcrPull", "b93aa761-3e63-49ed-ac28-beffa264f7ac"),
        ("acrpush", "2a1e307c-b015-4ebd-883e-5b7698a07328"),
    ] {
        let table = Table::default()
            .then(200, &[], &list(json!([])))
            .then(201, &[], &app(&[]))
            .then(201, &[], &sp())
            .then(200, &[], &registry("AbacRepositoryPermissions"))
            .then(201, &[], &assignment())
            .then(200, &[], &user())
            .then(200, &[], &added(KEY))
            .then(200, &[], &password(KEY));
        let (world, found) = run(table, inputs(json!({ "role": role })));
        found.unwrap();
        let body = world.body("PUT", "roleAssignments");
        assert!(body["properties"]["roleDefinitionId"].as_str().unwrap().ends_with(guid));
        assert!(world.table.said()[0].contains("Container Registry Repository"));
        let word = if role == "AcrPull" { "pull" } else { "push" };
        assert!(world.lines()[7].contains(&format!("myregistry-{word}-pwd")));
    }
}

#[test]
fn any_role_on_any_scope() {
    let group = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg1";
    let named = json!({ "name": "ci", "user-secret": "u", "password-secret": "p", "scope": [group, REG], "role": "Reader's" });
    let definition = json!({ "id": "/subscriptions/1/providers/Microsoft.Authorization/roleDefinitions/acdd72a7", "name": "acdd72a7" });
    let begin = || {
        Table::default().then(200, &[], &list(json!([]))).then(201, &[], &app(&[])).then(
            201,
            &[],
            &sp(),
        )
    };
    let table = begin()
        .then(200, &[], &list(json!([definition])))
        .then(201, &[], &assignment())
        .then(200, &[], &list(json!([definition])))
        .then(201, &[], &assignment())
        .then(200, &[], &user())
        .then(200, &[], &added(KEY))
        .then(200, &[], &password(KEY));
    let (world, found) = run(table, inputs(named.clone()));
    assert_eq!(found.unwrap().0.role_assignments.len(), 2);
    assert_eq!(
        world.lines()[3],
        format!(
            "GET {group}/providers/Microsoft.Authorization/roleDefinitions?$filter=roleName%20eq%20%27Reader%27%27s%27&api-version=2022-05-01-preview"
        )
    );
    let (_, found) = run(begin().then(200, &[], &list(json!([]))), inputs(named));
    assert!(found.unwrap_err().is("not-found"));
    let denied = refusal("AuthorizationFailed", "", "The client has no authorization");
    let (_, found) = run(fresh().then(403, &[], &denied), inputs(json!({})));
    assert!(
        found.unwrap_err().hint_text().unwrap().contains("Role Based Access Control Administrator")
    );
}

#[test]
fn an_assignment_counts_where_it_is_for_all_of_the_scope() {
    let with = |key: &str, value: Value| {
        let mut found = assignment();
        found["properties"][key] = value;
        found
    };
    let group = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/RG1";
    for (found, is_there) in [
        (with("scope", json!(group)), true),
        (with("scope", json!("/")), true),
        (
            with(
                "scope",
                json!("/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg"),
            ),
            false,
        ),
        (with("scope", json!(format!("{REG}/x"))), false),
        (with("condition", json!("@Request…")), false),
        (with("principalId", json!("else")), false),
        (with("roleDefinitionId", json!("/x/8311e382-0749-4cb8-b61a-304f252e45ec")), false),
    ] {
        let mut table = Table::default()
            .then(200, &[], &list(json!([app(&[("x", KEY, 365)])])))
            .then(200, &[], &list(json!([sp()])))
            .then(200, &[], &registry(""))
            .then(200, &[], &list(json!([found])));
        if !is_there {
            table = table.then(201, &[], &assignment());
        }
        let table = table.then(200, &[], &users()).then(200, &[], &password(KEY));
        let (_, outcome) = run(table, inputs(json!({})));
        assert_eq!(outcome.unwrap().0.changed, !is_there, "{found}");
    }
}

#[test]
fn names_of_assignments_are_the_same_in_each_run_and_differ() {
    let scope: arm::ResourceId = REG.parse().unwrap();
    let upper: arm::ResourceId =
        REG.to_uppercase().replace("SUBSCRIPTIONS", "subscriptions").parse().unwrap();
    let name = role::name(&scope, SP, PULL);
    assert_eq!(name, role::name(&upper, &SP.to_uppercase(), PULL));
    assert_eq!((name.get_version_num(), name.to_string().len()), (5, 36));
    assert_ne!(name, role::name(&scope, APP, PULL));
    assert_ne!(name, role::name(&scope, SP, "8311e382-0749-4cb8-b61a-304f252e45ec"));
}
