//! What is asked of Azure: by az, and by a step of a pipeline.

/// One intent. `{n}` in its texts is a name that is new in each round.
pub(super) struct Case {
    /// What it is called in the table.
    pub(super) what: &'static str,
    /// The commands of az, for a shell.
    pub(super) commands: &'static str,
    /// The steps that do the same.
    pub(super) steps: &'static str,
    /// Where it is recorded what the commands sent: files of tests/azure/captures.
    pub(super) captures: &'static [&'static str],
}

/// What every pipeline has.
pub(super) const HEAD: &str = r#"schema = 1

[pipeline]
name = "bench"

[identity.bench]
kind = "azure"
tenant = "22222222-2222-2222-2222-222222222222"
client-id = "33333333-3333-3333-3333-333333333333"
client-secret = { secret = "app" }

[secrets]
app = { from = "env", name = "APP_SECRET" }
value = { from = "env", name = "VALUE" }
registry = { from = "env", name = "REGISTRY_PASSWORD" }
"#;

/// All of them, in the order of the table.
pub(super) const CASES: &[Case] = &[
    Case {
        what: "import an image",
        commands: "az acr import -n myregistry --source docker.io/library/hello-world:latest \
                   --image hello-{n}:latest",
        steps: r#"
[[step]]
id = "import"
uses = "import-image"
[step.with]
mode = "server"
identity = "bench"
subscription = "11111111-1111-1111-1111-111111111111"
source = "docker.io/library/hello-world:latest"
target = "myregistry.azurecr.io/hello-{n}:latest"
"#,
        captures: &["import-dockerhub-library"],
    },
    Case {
        what: "build an image",
        commands: "cd context && az acr build --registry myregistry --image built-{n}:v1 --file Dockerfile .",
        steps: r#"
[[step]]
id = "build"
uses = "build-image"
[step.with]
builder = "acr-tasks"
identity = "bench"
subscription = "11111111-1111-1111-1111-111111111111"
context = "context"
tags = ["myregistry.azurecr.io/built-{n}:v1"]
"#,
        captures: &["build-local"],
    },
    Case {
        what: "make a task",
        commands: "az acr task create -r myregistry -n task{n} --image app:{{.Run.ID}} \
                   --context https://github.com/me/app.git#main --file Dockerfile \
                   --git-access-token ghp_x",
        steps: r#"
[[step]]
id = "task"
uses = "acr-task"
[step.with]
identity = "bench"
subscription = "11111111-1111-1111-1111-111111111111"
registry = "myregistry"
name = "task{n}"
images = ["app:{% raw %}{{.Run.ID}}{% endraw %}"]
context = "https://github.com/me/app.git#main"
file = "Dockerfile"
git-token = "value"
"#,
        captures: &["task-create"],
    },
    Case {
        what: "list runs of tasks",
        commands: "az acr task list-runs -r myregistry -o table",
        steps: r#"
[[step]]
id = "runs"
uses = "acr-task"
[step.with]
action = "list-runs"
identity = "bench"
subscription = "11111111-1111-1111-1111-111111111111"
registry = "myregistry"
"#,
        captures: &["task-list-runs"],
    },
    Case {
        what: "store a secret",
        commands: "az keyvault secret set --vault-name mykeyvault --name s-{n} --value \"$VALUE\"",
        steps: r#"
[[step]]
id = "store"
uses = "store-secret"
with = { vault = "mykeyvault", name = "s-{n}", secret = "value", identity = "bench" }
"#,
        captures: &["kv-secret-set"],
    },
    Case {
        // As the book of the service has it, but for `--query password` of a list, which is empty.
        what: "service principal, role, and both in the vault",
        commands: "az keyvault secret set --vault-name mykeyvault --name pull-{n}-pwd --value \
                   $(az ad sp create-for-rbac --name pull-{n} --scopes $REGISTRY_ID --role acrpull \
                   --query password -o tsv) && \
                   az keyvault secret set --vault-name mykeyvault --name pull-{n}-usr --value \
                   $(az ad sp list --display-name pull-{n} --query '[].appId' -o tsv)",
        steps: r#"
[[step]]
id = "pull"
uses = "store-secret"
[step.with]
vault = "mykeyvault"
identity = "bench"
[step.with.service-principal]
name = "pull-{n}"
scope = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg1/providers/Microsoft.ContainerRegistry/registries/myregistry"
role = "AcrPull"
"#,
        captures: &["sp-create-for-rbac", "kv-secret-set", "sp-list-displayname", "kv-secret-set"],
    },
    Case { what: "deploy a container group", commands: DEPLOY, steps: GROUP, captures: DEPLOYED },
    Case { what: "the same again", commands: DEPLOY, steps: GROUP, captures: DEPLOYED },
];

const DEPLOYED: &[&str] = &["aci-create-full"];

const DEPLOY: &str = "az container create --name group-{n} --resource-group rg1 \
                      --image myregistry.azurecr.io/hello:v1 \
                      --registry-login-server myregistry.azurecr.io \
                      --registry-username myregistry --registry-password \"$REGISTRY_PASSWORD\" \
                      --dns-name-label group-{n} --os-type Linux --cpu 1 --memory 1.5 \
                      --query ipAddress.fqdn";

/// As az has it: the image by its tag, and nobody looks whether it is there.
const GROUP: &str = r#"
[[step]]
id = "deploy"
uses = "deploy-aci"
[step.with]
identity = "bench"
subscription = "11111111-1111-1111-1111-111111111111"
resource-group = "rg1"
name = "group-{n}"
image = "myregistry.azurecr.io/hello:v1"
pin = false
preflight = false
dns-label = "group-{n}"
registries = [{ server = "myregistry.azurecr.io", username = "myregistry", password = { secret = "registry" } }]
"#;
