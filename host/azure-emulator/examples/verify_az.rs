//! The real az drives the emulator, command by command: the proof that its answers are understood by
//! a client that nobody here wrote.
//!
//! `cargo run -p windlass-azure-emulator --example verify_az -- /path/to/az`;
//! `python3 -m venv az && az/bin/pip install azure-cli` makes one. It takes minutes, and 300 MB.
#![expect(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "what panics here says what is wrong"
)]

#[path = "../tests/replay/builder.rs"]
mod builder;
#[path = "../tests/replay/images.rs"]
mod images;
#[path = "../tests/replay/upstream.rs"]
mod upstream;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use azure_emulator::{Config, Emulator, Fault, Planned};
use serde_json::Value;
use tokio::process::Command;

const LOGIN: &str = "login --service-principal -u 33333333-3333-3333-3333-333333333333 -p s3cr3t --tenant 22222222-2222-2222-2222-222222222222";
const GROUP: &str = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg1";

struct Az {
    program: PathBuf,
    emulator: Emulator,
    folder: tempfile::TempDir,
    _upstream: upstream::Upstream,
}

impl Az {
    async fn start(program: PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let upstream = upstream::Upstream::start().await;
        let mut config = Config::new(folder.path().join("state"));
        for host in upstream::HOSTS {
            config.upstreams.insert(host.to_owned(), upstream.url.clone());
        }
        config.builder = Some(Arc::new(builder::FromNothing));
        config.names.registries = vec!["myregistry".to_owned(), "failregistry".to_owned()];
        let emulator = Emulator::start(config).await.unwrap();
        Self { program, emulator, folder, _upstream: upstream }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn output(&self, arguments: &[&str]) -> (i32, String, String) {
        let proxy = self.emulator.proxy_url();
        let ca = self.path("state/ca.pem");
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(self.folder.path()).kill_on_drop(true);
        for (name, value) in [
            ("AZURE_CORE_COLLECT_TELEMETRY", "no"),
            ("AZURE_CORE_NO_COLOR", "true"),
            ("AZURE_CORE_SURVEY_MESSAGE", "no"),
            ("HTTPS_PROXY", &proxy),
            ("NO_PROXY", ""),
            ("AZURE_POD_IDENTITY_AUTHORITY_HOST", &proxy),
        ] {
            command.env(name, value);
        }
        for name in ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"] {
            command.env(name, &ca);
        }
        command.env("AZURE_CONFIG_DIR", self.path("config"));
        let output = command.output().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
        (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
    }

    /// Runs a command of words without blanks; it has to succeed.
    async fn ok(&self, line: &str) -> String {
        self.run(&line.split_whitespace().collect::<Vec<_>>()).await
    }

    async fn run(&self, arguments: &[&str]) -> String {
        let (code, stdout, stderr) = self.output(arguments).await;
        println!("az {} -> {code}", arguments.join(" "));
        assert_eq!(code, 0, "az {}\n{stdout}\n{stderr}", arguments.join(" "));
        stdout
    }

    /// A command that has to fail with an exit code, and say something.
    async fn fails(&self, line: &str, code: i32, says: &str) {
        let (came, stdout, stderr) =
            self.output(&line.split_whitespace().collect::<Vec<_>>()).await;
        println!("az {line} -> {came}");
        assert_eq!(came, code, "az {line}\n{stdout}\n{stderr}");
        assert!(stderr.contains(says), "az {line}\n{stderr}");
    }

    fn context(&self) -> &Path {
        let folder = self.folder.path();
        fs_err::write(folder.join("Dockerfile"), "FROM scratch\n").unwrap();
        folder
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| panic!("{text}"))
}

#[tokio::main]
async fn main() {
    let program = PathBuf::from(std::env::args_os().nth(1).expect("usage: verify_az /path/to/az"));
    it_logs_in_and_keeps_secrets(Az::start(program.clone()).await).await;
    it_imports_builds_and_runs_tasks(Az::start(program.clone()).await).await;
    it_gives_a_principal_the_right_to_pull_and_deploys_with_it(Az::start(program).await).await;
    println!("az and the emulator understand each other");
}

async fn it_logs_in_and_keeps_secrets(az: Az) {
    az.fails(&LOGIN.replace("s3cr3t", "wrong"), 1, "AADSTS7000215").await;
    az.ok(LOGIN).await;
    az.ok("keyvault create -g rg1 -n newvault").await;
    az.fails("keyvault create -g rg1 -n bad--name", 1, "VaultNameNotValid").await;
    az.ok("keyvault secret set --vault-name newvault -n mysecret --value one").await;
    az.ok("keyvault secret set --vault-name newvault -n mysecret --value two").await;
    let show = "keyvault secret show --vault-name newvault -n mysecret --query value -o tsv";
    assert_eq!(az.ok(show).await, "two");
    let versions = az.ok("keyvault secret list-versions --vault-name newvault -n mysecret").await;
    assert_eq!(json(&versions).as_array().unwrap().len(), 2);
    az.fails("keyvault secret show --vault-name newvault -n nope", 3, "SecretNotFound").await;
    az.ok("keyvault secret delete --vault-name newvault -n mysecret").await;
    az.fails(
        "keyvault secret set --vault-name newvault -n mysecret --value x",
        1,
        "ObjectIsDeletedButRecoverable",
    )
    .await;
    az.ok("keyvault secret recover --vault-name newvault -n mysecret").await;
    assert_eq!(az.ok(show).await, "two");
    az.ok("logout").await;
    az.ok("login --identity --client-id 66666666-6666-6666-6666-666666666666").await;
    az.ok("account get-access-token --resource https://vault.azure.net").await;
    az.emulator.shutdown().await;
}

async fn it_imports_builds_and_runs_tasks(az: Az) {
    az.ok(LOGIN).await;
    let import = "acr import -n myregistry --source docker.io/library/hello-world:latest --image hello-world:latest";
    az.emulator
        .faults()
        .plan(Planned {
            fault: Fault::Throttle { retry_after: 1 },
            on: "importImage".to_owned(),
            times: 1,
        })
        .unwrap();
    az.ok(import).await;
    az.fails(import, 1, "Tag hello-world:latest already exists in target registry.").await;
    az.ok(&format!("{import} --force")).await;
    az.fails("acr import -n myregistry --source nowhere.example/a:1", 1, "is not told where").await;
    let shown = az.ok("acr manifest list-metadata -r myregistry -n hello-world").await;
    assert!(json(&shown)[0]["digest"].as_str().unwrap().starts_with("sha256:"));
    assert_eq!(
        json(&az.ok("acr repository list -n myregistry").await),
        serde_json::json!(["hello-world"])
    );
    az.ok("acr repository show-tags -n myregistry --repository hello-world --detail").await;
    az.ok("acr login -n myregistry --expose-token").await;
    az.ok("acr update -n myregistry --admin-enabled true").await;
    az.ok("acr credential show -n myregistry").await;
    az.ok("acr token create -r myregistry -n reader --scope-map _repositories_pull").await;
    az.ok("acr webhook create -r myregistry -n hook1 --uri http://127.0.0.1:9/x --actions push")
        .await;
    az.ok("acr webhook ping -r myregistry -n hook1").await;
    az.ok("acr cache create -r myregistry -n rule1 -s docker.io/library/hello-world -t cached")
        .await;

    let context = az.context().to_str().unwrap().to_owned();
    let built = az.ok(&format!("acr build -r myregistry -t hello:v1 {context}")).await;
    assert!(built.contains("was successful"), "{built}");
    let tags = az.ok("acr repository show-tags -n myregistry --repository hello").await;
    assert_eq!(json(&tags), serde_json::json!(["v1"]));
    az.fails(&format!("acr build -r failregistry -t hello:v1 {context}"), 1, "Run failed").await;
    az.ok("acr task create -r myregistry -n taskhello --image hello:{{.Run.ID}} -c https://github.com/me/app.git#main -f Dockerfile --commit-trigger-enabled false").await;
    az.ok("acr task run -r myregistry -n taskhello").await;
    let table = az.ok("acr task list-runs -r myregistry -o table").await;
    assert!(table.contains("taskhello") && table.contains("Succeeded"), "{table}");
    az.ok("acr task credential add -r myregistry -n taskhello --login-server other.azurecr.io -u user -p pass").await;
    az.ok("acr task delete -r myregistry -n taskhello -y").await;
    az.ok("acr create -n newregistry -g rg1 --sku Basic --role-assignment-mode rbac-abac").await;
    az.ok("acr delete -n newregistry -y").await;
    az.emulator.shutdown().await;
}

async fn it_gives_a_principal_the_right_to_pull_and_deploys_with_it(az: Az) {
    az.ok(LOGIN).await;
    az.ok("acr import -n myregistry --source mcr.microsoft.com/hello:1 --image hello:1").await;
    for fault in [Fault::SlowApplication, Fault::SlowPrincipal] {
        az.emulator.faults().plan(Planned { fault, on: "puller".to_owned(), times: 1 }).unwrap();
    }
    let registry = format!("{GROUP}/providers/Microsoft.ContainerRegistry/registries/myregistry");
    let made = az
        .ok(&format!("ad sp create-for-rbac --name puller --scopes {registry} --role acrpull"))
        .await;
    let made = json(&made);
    let (user, password) = (made["appId"].as_str().unwrap(), made["password"].as_str().unwrap());
    az.ok(&format!("role assignment list --scope {registry} --assignee {user} --fill-principal-name false --fill-role-definition-name false")).await;
    let create = format!(
        "container create -g rg1 --image myregistry.azurecr.io/hello:1 --os-type Linux --cpu 1 --memory 1 --registry-login-server myregistry.azurecr.io --registry-username {user} --dns-name-label demo-one --ports 80"
    );
    az.fails(&format!("{create} -n wrong --registry-password x"), 1, "InaccessibleImage").await;
    az.ok(&format!("{create} -n demo --registry-password {password}")).await;
    az.fails(&format!("{create} -n other --registry-password {password}"), 1, "DNS name label")
        .await;
    let fqdn = az.ok("container show -n demo -g rg1 --query ipAddress.fqdn -o tsv").await;
    assert_eq!(fqdn, "demo-one.westeurope.azurecontainer.io");
    let log = az.ok("container logs -n demo -g rg1").await;
    assert!(log.contains("emulated"), "{log}");
    az.ok("container list -g rg1").await;
    az.ok("container restart -n demo -g rg1").await;
    az.ok("container stop -n demo -g rg1").await;
    az.ok("container start -n demo -g rg1").await;
    az.ok("container delete -n demo -g rg1 --yes").await;
    az.fails("container show -n demo -g rg1", 3, "ResourceNotFound").await;
    az.emulator.shutdown().await;
}
