//! Roles: what they allow, and who has them where.

use crate::world::{Resource, World};

/// A built-in role.
pub(crate) struct Role {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) actions: &'static [&'static str],
    pub(crate) not_actions: &'static [&'static str],
    pub(crate) data_actions: &'static [&'static str],
}

const fn role(
    id: &'static str,
    name: &'static str,
    actions: &'static [&'static str],
    data_actions: &'static [&'static str],
) -> Role {
    Role { id, name, actions, not_actions: &[], data_actions }
}

const REGISTRY_READ: &str = "Microsoft.ContainerRegistry/registries/read";
pub(crate) const PULL: &str = "Microsoft.ContainerRegistry/registries/pull/read";
pub(crate) const PUSH: &str = "Microsoft.ContainerRegistry/registries/push/write";
pub(crate) const DELETE: &str = "Microsoft.ContainerRegistry/registries/artifacts/delete";
pub(crate) const CONTENT_READ: &str =
    "Microsoft.ContainerRegistry/registries/repositories/content/read";
pub(crate) const CONTENT_WRITE: &str =
    "Microsoft.ContainerRegistry/registries/repositories/content/write";
pub(crate) const CONTENT_DELETE: &str =
    "Microsoft.ContainerRegistry/registries/repositories/content/delete";
pub(crate) const METADATA_READ: &str =
    "Microsoft.ContainerRegistry/registries/repositories/metadata/read";
pub(crate) const METADATA_WRITE: &str =
    "Microsoft.ContainerRegistry/registries/repositories/metadata/write";
pub(crate) const CATALOG: &str = "Microsoft.ContainerRegistry/registries/catalog/read";

/// `Owner`, which the first application has.
pub(crate) const OWNER: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
/// `Key Vault Secrets Officer`, which it has too: owning a vault is no right to its secrets.
pub(crate) const SECRETS_OFFICER: &str = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7";

/// Those that pipelines meet. Ids and names are the same in every tenant.
pub(crate) const ROLES: &[Role] = &[
    role(OWNER, "Owner", &["*"], &[]),
    Role {
        id: "b24988ac-6180-42a0-ab88-20f7382dd24c",
        name: "Contributor",
        actions: &["*"],
        not_actions: &["Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write"],
        data_actions: &[],
    },
    role("acdd72a7-3385-48ef-bd42-f606fba81ae7", "Reader", &["*/read"], &[]),
    role(
        "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
        "User Access Administrator",
        &["*/read", "Microsoft.Authorization/*"],
        &[],
    ),
    role("7f951dda-4ed3-4680-a7ca-43fe172d538d", "AcrPull", &[PULL], &[]),
    role("8311e382-0749-4cb8-b61a-304f252e45ec", "AcrPush", &[PULL, PUSH], &[]),
    role("c2f4ef07-c644-48eb-af81-4b1b4947fb11", "AcrDelete", &[DELETE], &[]),
    role(
        "b93aa761-3e63-49ed-ac28-beffa264f7ac",
        "Container Registry Repository Reader",
        &[],
        &[CONTENT_READ, METADATA_READ],
    ),
    role(
        "2a1e307c-b015-4ebd-883e-5b7698a07328",
        "Container Registry Repository Writer",
        &[],
        &[CONTENT_READ, CONTENT_WRITE, METADATA_READ, METADATA_WRITE],
    ),
    role(
        "2efddaa5-3f1f-4df3-97df-af3f13818f4c",
        "Container Registry Repository Contributor",
        &[],
        &[CONTENT_READ, CONTENT_WRITE, CONTENT_DELETE, METADATA_READ, METADATA_WRITE],
    ),
    role(
        "bfdb9389-c9a5-478a-bb2f-ba9ca092c3c7",
        "Container Registry Repository Catalog Lister",
        &[],
        &[CATALOG],
    ),
    role(
        "577a9874-89fd-4f24-9dbd-b5034d0ad23a",
        "Container Registry Data Importer and Data Reader",
        &[REGISTRY_READ, PULL, "Microsoft.ContainerRegistry/registries/importImage/action"],
        &[CONTENT_READ, METADATA_READ],
    ),
    role(
        "fb382eab-e894-4461-af04-94435c366c3f",
        "Container Registry Tasks Contributor",
        &[
            REGISTRY_READ,
            "Microsoft.ContainerRegistry/registries/scheduleRun/action",
            "Microsoft.ContainerRegistry/registries/listBuildSourceUploadUrl/action",
            "Microsoft.ContainerRegistry/registries/runs/*",
            "Microsoft.ContainerRegistry/registries/tasks/*",
            "Microsoft.ContainerRegistry/registries/taskRuns/*",
        ],
        &[],
    ),
    role(
        "00482a5a-887f-4fb3-b363-3b7fe8e74483",
        "Key Vault Administrator",
        &["Microsoft.KeyVault/vaults/read"],
        &["Microsoft.KeyVault/vaults/*"],
    ),
    role(
        SECRETS_OFFICER,
        "Key Vault Secrets Officer",
        &["Microsoft.KeyVault/vaults/read"],
        &["Microsoft.KeyVault/vaults/secrets/*"],
    ),
    role(
        "4633458b-17de-408a-b874-0445c86b69e6",
        "Key Vault Secrets User",
        &[],
        &[
            "Microsoft.KeyVault/vaults/secrets/getSecret/action",
            "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
        ],
    ),
];

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Right<'a> {
    /// To a resource.
    Action(&'a str),
    /// To what is in it.
    Data(&'a str),
}

/// Whether a principal may do it there: some role of his at the scope or above allows it. One that
/// has a condition does not count.
pub(crate) fn allows(world: &World, principal: &str, right: Right<'_>, scope: &str) -> bool {
    allows_in(world, principal, right, scope, None)
}

/// The same within a registry's repository, whose name a condition may be about.
pub(crate) fn allows_in(
    world: &World,
    principal: &str,
    right: Right<'_>,
    scope: &str,
    repository: Option<&str>,
) -> bool {
    roles(world, principal, scope)
        .filter(|(assignment, _)| {
            let condition = assignment.text("/properties/condition");
            condition.is_empty() || repository.is_some_and(|name| is_met(condition, name))
        })
        .any(|(_, role)| role.allows(right))
}

/// Whether there is any right to data for a principal, whatever its condition.
pub(crate) fn has_data_rights(world: &World, principal: &str, scope: &str) -> bool {
    roles(world, principal, scope).any(|(_, role)| !role.data_actions.is_empty())
}

/// The roles of a principal at a scope, with their assignments.
fn roles<'w>(
    world: &'w World,
    principal: &'w str,
    scope: &str,
) -> impl Iterator<Item = (&'w Resource, &'static Role)> {
    let scope = crate::world::key(scope);
    let assignments = world.resources.values().filter(|resource| {
        resource.text("/type").eq_ignore_ascii_case("Microsoft.Authorization/roleAssignments")
            && resource.text("/properties/principalId").eq_ignore_ascii_case(principal)
    });
    assignments
        .filter(move |assignment| is_within(&scope, assignment.text("/properties/scope")))
        .filter_map(|assignment| {
            let id = assignment.text("/properties/roleDefinitionId");
            let id = id.rsplit('/').next().unwrap_or_default();
            let role = ROLES.iter().find(|role| role.id.eq_ignore_ascii_case(id));
            role.map(|role| (assignment, role))
        })
}

/// Whether a repository meets a condition. Only the two comparisons of a repository's name are
/// understood that the documentation shows; any other condition is not met.
fn is_met(condition: &str, repository: &str) -> bool {
    const NAME: &str = "registries/repositories:name]";
    let repository = repository.to_ascii_lowercase();
    condition.split(NAME).skip(1).any(|rest| {
        let Some((comparison, rest)) = rest.trim_start().split_once(char::is_whitespace) else {
            return false;
        };
        let value = rest.trim_start().strip_prefix('\'').and_then(|rest| rest.split_once('\''));
        let Some((value, _)) = value else { return false };
        let value = value.to_ascii_lowercase();
        match comparison {
            "StringEqualsIgnoreCase" => repository == value,
            "StringStartsWithIgnoreCase" => repository.starts_with(&value),
            _ => false,
        }
    })
}

fn is_within(scope: &str, of: &str) -> bool {
    let of = crate::world::key(of);
    scope.strip_prefix(&of).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Role {
    fn allows(&self, right: Right<'_>) -> bool {
        let (patterns, not, wanted) = match right {
            Right::Action(action) => (self.actions, self.not_actions, action),
            Right::Data(action) => (self.data_actions, &[][..], action),
        };
        let fits = |patterns: &[&str]| patterns.iter().any(|pattern| matches(pattern, wanted));
        fits(patterns) && !fits(not)
    }
}

/// Whether a pattern of a role, in which `*` is anything, fits an action.
fn matches(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == action };
    // No role here has two stars.
    action.strip_prefix(head).is_some_and(|rest| rest.ends_with(tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> &'static Role {
        ROLES.iter().find(|role| role.name == name).unwrap()
    }

    #[test]
    fn stars_are_anything() {
        assert!(matches("*", PULL));
        assert!(matches("*/read", PULL));
        assert!(!matches("*/read", PUSH));
        assert!(matches(
            "microsoft.keyvault/vaults/secrets/*",
            "Microsoft.KeyVault/vaults/secrets/getSecret/action"
        ));
        assert!(!matches(PULL, PUSH));
    }

    #[test]
    fn contributors_give_no_roles_and_owners_read_no_secrets() {
        let write = Right::Action("Microsoft.Authorization/roleAssignments/write");
        assert!(named("Owner").allows(write));
        assert!(!named("Contributor").allows(write));
        let get = Right::Data("Microsoft.KeyVault/vaults/secrets/getSecret/action");
        assert!(!named("Owner").allows(get));
        assert!(named("Key Vault Secrets User").allows(get));
    }

    #[test]
    fn conditions_are_about_names_of_repositories() {
        let named = |by: &str| {
            format!(
                "((!(ActionMatches{{'x'}})) OR (@Request[Microsoft.ContainerRegistry/registries/repositories:name] {by}))"
            )
        };
        assert!(is_met(&named("StringEqualsIgnoreCase 'Hello-World'"), "hello-world"));
        assert!(!is_met(&named("StringEqualsIgnoreCase 'hello-world'"), "hello"));
        assert!(is_met(&named("StringStartsWithIgnoreCase 'backend/'"), "backend/api"));
        assert!(!is_met(&named("StringLike '*'"), "backend/api"));
        assert!(!is_met("true", "a") && !is_met(&named(""), "a") && !is_met(&named("X 'a"), "a"));
    }

    #[test]
    fn a_scope_holds_what_is_below_it_and_not_what_begins_alike() {
        assert!(is_within("/subscriptions/1/resourcegroups/a", "/subscriptions/1"));
        assert!(is_within("/subscriptions/1", "/subscriptions/1/"));
        assert!(!is_within("/subscriptions/11", "/subscriptions/1"));
    }
}
