//! Where our answers differ from the recorded ones on purpose, and why.

use std::sync::Mutex;

/// What real registries say of themselves, and the research emulator did not.
const REGISTRY: &str = "azure-cli's recordings of real registries have it";

/// Here is a real index, and the manifest in it, which has no tag, but a platform.
const CHILDREN: &str = "the manifests of an index are listed as well (REST specification)";

/// A secret that the research emulator showed.
const SECRET: &str = "secrets of tasks are shown by listDetails alone (REST specification)";

/// A scenario (or `*`), a pointer into the document (a `*` at its end is anything, `~` any pointer
/// that has what follows), and the reason.
const ARGUED: &[(&str, &str, &str)] = &[
    (
        "login-badsecret",
        "/metadata/*",
        "real instance discovery lists the aliases of the authority; the research emulator's was empty",
    ),
    (
        "custom-cloud-register",
        "",
        "az first met a list, as the version asked for must not give; the second answer is right",
    ),
    (
        "kv-secret-list",
        "/value/*/contentType",
        "lists show the content type of secrets that have one (REST specification)",
    ),
    ("*", "~/properties/policies", REGISTRY),
    ("*", "~/properties/encryption", REGISTRY),
    ("*", "~/properties/dataEndpointEnabled", REGISTRY),
    ("*", "~/properties/dataEndpointHostNames", REGISTRY),
    ("*", "~/properties/privateEndpointConnections", REGISTRY),
    ("*", "~/properties/publicNetworkAccess", REGISTRY),
    ("*", "~/properties/networkRuleBypassOptions", REGISTRY),
    ("*", "~/properties/zoneRedundancy", REGISTRY),
    ("*", "~/properties/anonymousPullEnabled", REGISTRY),
    ("*", "~/sourceRepository/sourceControlAuthProperties", SECRET),
    ("*", "~/step/contextAccessToken", SECRET),
    ("*", "~/customRegistries/other.azurecr.io/userName/value", SECRET),
    ("*", "~/customRegistries/other.azurecr.io/password/value", SECRET),
    ("task-list-runs", "/value/*/properties/task", "quick runs end here; there they stayed queued"),
    ("*", "/value/*/properties/updateTriggerToken", "the token of the request is shown (SDK)"),
    ("aci-list", "~/instanceView", "lists have no instance views (recordings)"),
    ("aci-list", "/value/*/properties/provisioningState", "here they have come up meanwhile"),
    ("aci-delete", "~/previousState", "what was stopped and started has one (SDK)"),
    (
        "custom-aci",
        "~/properties/instanceView",
        "containers have views; the research emulator learned that later (see aci-create-full)",
    ),
    ("acr-show-manifests", "/manifests/*", CHILDREN),
    ("acr-manifest-list-metadata", "/manifests/*", CHILDREN),
    (
        "webhook-get-config",
        "/customHeaders/Authorization",
        "the headers that were set come back; the research emulator had forgotten them",
    ),
    ("*", "/value/*/properties/permissions/*", "we say what a role permits"),
    (
        "*",
        "/properties/delegatedManagedIdentityResourceId",
        "real assignments have it (recordings)",
    ),
    ("*", "/properties/description", "real assignments have it (recordings)"),
];

static USED: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// Whether a difference is one of those.
pub(crate) fn is_argued(scenario: &str, pointer: &str) -> bool {
    let found = ARGUED.iter().position(|(of, at, _)| {
        (*of == "*" || *of == scenario)
            && match (at.strip_prefix('~'), at.strip_suffix('*')) {
                (Some(part), _) => pointer.contains(part),
                (None, Some(prefix)) => pointer.starts_with(prefix),
                (None, None) => pointer == *at,
            }
    });
    if let Some(at) = found {
        USED.lock().unwrap().push(at);
    }
    found.is_some()
}

/// A reason that excuses nothing is one too many.
pub(crate) fn all_used() {
    let used = USED.lock().unwrap();
    let idle = ARGUED.iter().enumerate().filter(|(at, _)| !used.contains(at));
    let idle: Vec<_> = idle.map(|(_, (scenario, at, _))| format!("{scenario} {at}")).collect();
    assert!(idle.is_empty(), "excuse nothing: {idle:?}");
}
