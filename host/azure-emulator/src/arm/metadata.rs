//! What a custom cloud says about itself: `az cloud register` and `ARM_CLOUD_METADATA_URL` read it.

use serde_json::json;

use crate::answer::Answer;
use crate::call::Call;
use crate::origin::Origin;

/// Versions from this one on answer with one cloud, earlier ones with a list.
const ONE_CLOUD: &str = "2022-09-01";

/// `GET /metadata/endpoints`
pub(crate) fn endpoints(call: &Call) -> Answer {
    let base = match &call.origin {
        Origin::Base(base) => base.as_str(),
        Origin::Names => "https://management.azure.com",
    };
    let slash = format!("{base}/");
    let cloud = json!({
        "name": "EmuCloud",
        "portal": base,
        "authentication": {
            "loginEndpoint": slash, "audiences": [slash, "https://management.azure.com/"],
            "tenant": "common", "identityProvider": "AAD",
        },
        "media": "", "graphAudience": base, "graph": base,
        "microsoftGraphResourceId": slash, "resourceManager": base,
        "activeDirectoryDataLake": "", "batch": "", "gallery": base, "sqlManagement": "",
        "vmImageAliasDoc": "",
        "suffixes": {
            "acrLoginServer": "azurecr.io", "keyVaultDns": "vault.azure.net",
            "storage": "core.windows.net", "azureDataLakeStoreFileSystem": "",
            "azureDataLakeAnalyticsCatalogAndJob": "", "sqlServerHostname": "",
        },
    });
    match call.query("api-version").is_some_and(|version| version >= ONE_CLOUD) {
        true => Answer::ok(cloud),
        false => Answer::ok(json!([cloud])),
    }
}
