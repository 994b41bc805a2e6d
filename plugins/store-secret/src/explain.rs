//! What a refusal means here, and what to try.

use arm::Failure;
use windlass_plugin::Error;

/// A refusal of a vault.
#[must_use]
pub fn vault(failure: Failure, url: &str) -> Error {
    let vault = url.split("://").last().and_then(|host| host.split('.').next()).unwrap_or_default();
    let hint = match &failure {
        Failure::Host(error) if error.is("transient") => Some(format!(
            "check that there is a vault at `{url}`: `az keyvault show --name {vault}`; and that this \
             machine may reach it"
        )),
        Failure::Refused(refusal) => {
            let inner = refusal.inner.first().map_or("", |(code, _)| code.as_str());
            match (refusal.status, inner) {
                (401, _) => Some(
                    "say `identity = \"NAME\"`, one of `[identity.NAME]` of the pipeline; if it is said, \
                     check that its `tenant` is the vault's"
                        .to_owned(),
                ),
                (403, "ForbiddenByFirewall" | "ForbiddenByConnection") => Some(format!(
                    "the vault's network rules keep this machine out: \
                     `az keyvault network-rule add --name {vault} --ip-address ADDRESS`, or run where \
                     its private endpoint is"
                )),
                (403, "ForbiddenByPolicy") => Some(policy(vault, &refusal.message)),
                (403, _) if refusal.message.contains("permission on key vault") => {
                    Some(policy(vault, &refusal.message))
                }
                (403, "SecretDisabled") => Some("enable it: `enabled = true`".to_owned()),
                (403, _) => Some(role(&refusal.message)),
                (404, _) => Some(format!(
                    "check the vault's address, `{url}`: `az keyvault show --name {vault}`"
                )),
                (409, "ObjectIsBeingRecovered" | "ObjectIsBeingDeleted") => {
                    Some("the vault has not finished with the name; run it again in a minute".to_owned())
                }
                (429, _) => Some(
                    "the vault takes some thousand requests in ten seconds, and somebody else has used \
                     them up; run it later, or add `retry = { on = [\"transient\"] }`"
                        .to_owned(),
                ),
                _ => None,
            }
        }
        Failure::Host(_) | Failure::Odd { .. } | Failure::Late { .. } => None,
    };
    hinted(failure, hint)
}

/// A name that a deleted secret still has.
#[must_use]
pub fn deleted(failure: Failure, name: &str, url: &str) -> Error {
    let hint = format!(
        "say `deleted = \"recover\"` to have it back under a new version, or `deleted = \"purge\"` to lose \
         it for good; `az keyvault secret list-deleted --id {url}` shows `{name}`"
    );
    hinted(failure, Some(hint))
}

/// A refusal of Graph.
#[must_use]
pub fn graph(failure: Failure) -> Error {
    let hint = match failure.status() {
        Some(401) => Some(
            "say `identity = \"NAME\"`, one of `[identity.NAME]` of the pipeline, and check its `tenant`",
        ),
        Some(403) => Some(
            "give the identity the permission `Application.ReadWrite.OwnedBy` of Microsoft Graph, with \
             an administrator's consent; an application of somebody else needs \
             `Application.ReadWrite.All`",
        ),
        Some(429) => Some("Graph has had too many requests; run it again in some minutes"),
        _ => match failure.refusal() {
            Some(refusal) if refusal.message.to_ascii_lowercase().contains("polic") => Some(
                "the tenant does not allow passwords of applications, or none that are good so long: say \
                 a shorter `valid`, or use a federated credential or `scope-map-token`",
            ),
            _ => None,
        },
    };
    hinted(failure, hint.map(str::to_owned))
}

/// A refusal of a role assignment.
#[must_use]
pub fn role_assignment(failure: Failure, scope: &str) -> Error {
    let hint = match (failure.status(), failure.azure_code()) {
        (Some(403), _) => Some(format!(
            "whoever assigns roles needs one: `az role assignment create --role \"Role Based Access \
             Control Administrator\" --assignee ID --scope {scope}`"
        )),
        (_, Some("PrincipalNotFound")) => Some(
            "Azure does not see the service principal yet; run it again in a minute".to_owned(),
        ),
        _ => None,
    };
    hinted(failure, hint)
}

fn hinted(failure: Failure, hint: Option<String>) -> Error {
    let error = Error::from(failure);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// How the role is assigned; Key Vault names who asked and what for.
fn role(message: &str) -> String {
    let caller = between(message, "appid=", ";").unwrap_or("ID");
    let resource = between(message, "Resource: '", "'").unwrap_or("VAULT-ID");
    let scope = resource.split("/secrets/").next().unwrap_or(resource);
    format!(
        "`az role assignment create --role \"Key Vault Secrets Officer\" --assignee {caller} --scope \
         {scope}`; a new role takes some minutes to be seen"
    )
}

fn policy(vault: &str, message: &str) -> String {
    let caller = between(message, "appid=", ";").unwrap_or("ID");
    format!(
        "the vault has access policies: `az keyvault set-policy --name {vault} --spn {caller} \
         --secret-permissions get set list recover`"
    )
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    let (found, _) = rest.split_once(after)?;
    // It becomes a command that somebody types.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./()".contains(c);
    (!found.is_empty() && found.chars().all(is_plain)).then_some(found)
}
