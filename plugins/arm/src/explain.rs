//! What a refusal of Azure's means here, and what to try.

use crate::refusal::Refusal;

/// What a refusal means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meaning {
    /// The code of the error, whose first or last word is a kind.
    pub(crate) code: &'static str,
    /// What to try.
    pub(crate) hint: Option<String>,
    /// Whether the same call may succeed later.
    pub(crate) is_retryable: bool,
}

/// What Azure says when something else is going on with the resource.
const BUSY: [&str; 6] = [
    "AnotherOperationInProgress",
    "ConcurrentOperationInProgress",
    "ContainerGroupTransitioning",
    "OperationInProgress",
    "OperationNotAllowedWhileUpdating",
    "RetryableError",
];

/// Whether it will pass by itself, and nothing was done: safe to send again.
pub(crate) fn is_busy(refusal: &Refusal) -> bool {
    BUSY.iter().any(|code| refusal.code.eq_ignore_ascii_case(code))
}

/// What `refusal` means. By Azure's code where that says more than the status; never by its message.
pub(crate) fn meaning(refusal: &Refusal) -> Meaning {
    if let Some((code, hint)) = known(refusal) {
        let is_retryable = code.starts_with("transient");
        return Meaning { code, hint: Some(hint), is_retryable };
    }
    let code = match (&refusal.ended, refusal.status) {
        (Some(word), _) if word.eq_ignore_ascii_case("Canceled") => "cancelled.azure",
        (Some(_), 0..=399) => "azure.operation-failed",
        (_, 400 | 413 | 415 | 422) => "invalid.azure",
        (_, 401) => "unauthorized.azure",
        (_, 403) => "denied.azure",
        (_, 404 | 410) => "not-found.azure",
        (_, 409 | 412) => "conflict.azure",
        (_, 408 | 429 | 500..=599) => "transient.azure",
        _ => "azure.refused",
    };
    let hint = match code {
        "unauthorized.azure" => Some(
            "give the step an identity that Azure knows: `identity` of the step, and \
             `[identity.NAME]` of the pipeline"
                .to_owned(),
        ),
        "denied.azure" => Some(NO_ROLE.to_owned()),
        _ => None,
    };
    Meaning { code, hint, is_retryable: code == "transient.azure" }
}

const NO_ROLE: &str = "give the identity a role at this scope that allows the action, \
                       `az role assignment create --assignee ID --role ROLE --scope SCOPE`; a new \
                       role takes some minutes to be seen";

/// What Azure's code says, where there is more to say than its status.
fn known(refusal: &Refusal) -> Option<(&'static str, String)> {
    let code = refusal.code.to_ascii_lowercase();
    let (ours, hint) = match code.as_str() {
        "authorizationfailed" | "linkedauthorizationfailed" | "roleassignmentnotfound" => {
            ("denied.azure", NO_ROLE)
        }
        "requestdisallowedbypolicy" => (
            "denied.azure",
            "a policy of the subscription forbids it; the message names the policy",
        ),
        "scopelocked" | "readonlydisabledsubscription" => {
            ("denied.azure", "remove the lock, or enable the subscription, and run it again")
        }
        "authenticationfailed" | "invalidauthenticationtoken" | "expiredauthenticationtoken" => (
            "unauthorized.azure",
            "give the step an identity: `identity` of the step, and `[identity.NAME]` of the \
             pipeline; then check its secret and its clock",
        ),
        "invalidauthenticationtokentenant" => (
            "unauthorized.azure",
            "the subscription belongs to another tenant: set `tenant` of `[identity.NAME]`",
        ),
        "subscriptionnotfound" | "invalidsubscriptionid" => (
            "not-found.azure",
            "check the subscription's id; `az account list` shows those that the identity sees",
        ),
        "resourcegroupnotfound" => (
            "not-found.azure",
            "check its name, or make it: `az group create --name GROUP --location REGION`",
        ),
        "missingsubscriptionregistration" => {
            return Some(("azure.not-registered", register(refusal)));
        }
        "noregisteredproviderfound" | "locationnotavailableforresourcetype" => {
            ("invalid.azure", "choose a location or an API version that the message lists")
        }
        "requestedresourcenotavailable"
        | "skunotavailable"
        | "zonalallocationfailed"
        | "allocationfailed"
        | "serviceunavailable" => (
            "transient.azure",
            "Azure has no room for it there now; try again later, another location, or less cpu \
             and memory",
        ),
        "toomanyrequests" | "subscriptionrequeststhrottled" | "operationnotallowedthrottled" => (
            "transient.azure",
            "too many requests; run fewer at once, or add `retry = { on = [\"transient\"] }`",
        ),
        _ if code.contains("quota") => (
            "azure.quota",
            "use less, delete what is not needed, choose another location, or ask for more: \
             https://aka.ms/quotas",
        ),
        _ if is_busy(refusal) => {
            ("transient.azure", "something else is being done with it; run it again in a minute")
        }
        _ => return None,
    };
    Some((ours, hint.to_owned()))
}

/// How the namespace that the message or the call names is registered.
fn register(refusal: &Refusal) -> String {
    let words = refusal.message.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.'));
    let said = words.chain(refusal.call.split('/')).find(|word| word.starts_with("Microsoft."));
    let namespace = said.map_or("NAMESPACE", |word| word.trim_end_matches('.'));
    format!(
        "run `az provider register --namespace {namespace}` once for the subscription, and wait \
         some minutes"
    )
}
