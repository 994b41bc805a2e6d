//! The story of a deployment: credentials in a vault, an image in a registry, a container group.

use support::Image;

use super::{Emulator, pipeline};
use crate::host;

const REGISTRY: &str = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg1\
                        /providers/Microsoft.ContainerRegistry/registries/myregistry";

/// The book's story: a service principal that may pull, its credentials in a vault, and a container
/// group that is deployed with them.
#[test]
fn credentials_go_into_a_vault_and_a_group_is_deployed_with_them() {
    let image = Image::multi_arch(&["linux/amd64"], 1000);
    let host = host();
    image.write_layout(&host.path("image"), "v1");
    let prepare = format!(
        "[[step]]\nid = \"image\"\nuses = \"import-image\"\n\
         with = {{ source = \"oci-layout:image:v1\", target = \"myregistry.azurecr.io/app:v1\" }}\n\n\
         [[step]]\nid = \"pull\"\nuses = \"store-secret\"\n[step.with]\nvault = \"mykeyvault\"\n\
         identity = \"prod\"\nservice-principal = {{ scope = \"{REGISTRY}\", role = \"AcrPull\" }}\n"
    );
    let deploy = r#"schema = 1

[pipeline]
name = "deploy"

[identity.prod]
kind = "azure"
tenant = "22222222-2222-2222-2222-222222222222"
client-id = "33333333-3333-3333-3333-333333333333"
client-secret = { secret = "app" }

[secrets]
app = { from = "env", name = "APP_SECRET" }
pull-usr = { from = "azure-key-vault", vault = "mykeyvault", name = "myregistry-pull-usr" }
pull-pwd = { from = "azure-key-vault", vault = "mykeyvault", name = "myregistry-pull-pwd" }

[registries."myregistry.azurecr.io"]
username = { secret = "pull-usr" }
password = { secret = "pull-pwd" }

[[step]]
id = "deploy"
uses = "deploy-aci"

[step.with]
identity = "prod"
subscription = "11111111-1111-1111-1111-111111111111"
resource-group = "rg1"
name = "aci-demo"
image = "myregistry.azurecr.io/app:v1"
dns-label = "aci-demo-1"
registries = [{ server = "myregistry.azurecr.io", username = { secret = "pull-usr" }, password = { secret = "pull-pwd" } }]
"#;
    let host = host.file("prepare.toml", pipeline(&prepare)).file("deploy.toml", deploy);
    let emulator = Emulator::start(&host, &[]);
    let host = emulator.seen_by(host, "s3cr3t");
    host.run(&["run", "prepare.toml", "-v"]).exits(0);
    // Unchanged: nothing is made anew.
    host.run(&["run", "prepare.toml"]).exits(0).stderr_says(&["unchanged"]);
    let deployed = host.run(&["run", "deploy.toml", "--format", "json", "-v"]);
    deployed.exits(0);
    let outputs = &deployed.finished("deploy")["outputs"];
    assert_eq!(outputs["changed"], true, "{outputs}");
    assert_eq!(outputs["fqdn"], "aci-demo-1.westeurope.azurecontainer.io");
    let again = host.run(&["run", "deploy.toml"]);
    again.exits(0).stderr_says(&["unchanged"]);
}
