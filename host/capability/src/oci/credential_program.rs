//! Credential helpers: the programs `docker-credential-NAME` that docker's configuration names.
//!
//! A helper is somebody else's program, so it is started only if whoever runs this one has listed
//! its name. It gets `get` as its only argument and the registry on its standard input; a secret is
//! never in an argument. No shell is in between, the answer is bounded in size and time, and what
//! the helper says on standard error, which could hold anything, is not shown.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use ::oci::{Credential, Helper, RegistryHost};
use report::{Fault, Kind, Side};
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use zeroize::Zeroizing;

/// A helper may ask a cloud; a person at a dialog is not waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Tokens have some kilobytes.
const LARGEST_ANSWER: u64 = 256 * 1024;

/// What a helper says, on standard output, where it has nothing (docker-credential-helpers,
/// `credentials/error.go`).
const NOT_FOUND: &str = "credentials not found in native keychain";

/// Which helpers may be started.
#[derive(Clone, Debug, Default)]
pub struct CredentialHelpers {
    allowed: BTreeSet<String>,
    /// Where they are; `None`: on the `PATH`.
    folder: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    username: String,
    secret: String,
}

impl CredentialHelpers {
    /// Those with these names: `ecr-login` for `docker-credential-ecr-login`.
    pub fn new(allowed: impl IntoIterator<Item = String>) -> Self {
        Self { allowed: allowed.into_iter().collect(), folder: None }
    }

    /// Looks for them in `folder`, not on the `PATH`.
    #[must_use]
    pub fn in_folder(self, folder: impl Into<PathBuf>) -> Self {
        Self { folder: Some(folder.into()), ..self }
    }

    /// What `helper` has; `None` where it has nothing.
    pub(super) async fn ask(
        &self,
        helper: &Helper,
        registry: &RegistryHost,
    ) -> Result<Option<Credential>, Fault> {
        let is_name = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-')
        };
        let is_sound = !helper.name.is_empty() && helper.name.bytes().all(is_name);
        if !is_sound || !self.allowed.contains(&helper.name) {
            return Err(helper.not_enabled(registry));
        }
        let program = format!("docker-credential-{}", helper.name);
        let failed = |why: String| {
            Fault::new(Kind::Unauthorized, format!("`{program}` gave no credential: {why}"))
                .code("oci.unauthorized")
                .side(Side::Host)
                .help(format!("try `echo {} | {program} get`", helper.server))
        };
        match tokio::time::timeout(PATIENCE, self.run(&program, &helper.server)).await {
            Err(_) => Err(failed(format!("it did not end within {} s", PATIENCE.as_secs()))),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Ok(Ok((false, said))) => match said.trim_ascii() == NOT_FOUND.as_bytes() {
                true => Ok(None),
                false => Err(failed("it failed".to_owned())),
            },
            Ok(Ok((true, said))) => {
                let answer: Answer = serde_json::from_slice(&said).map_err(|_| {
                    failed("its answer is not JSON as docker defines it".to_owned())
                })?;
                Ok(Some(Credential::kept(answer.username, answer.secret)))
            }
        }
    }

    /// Whether it succeeded, and what it said.
    async fn run(
        &self,
        program: &str,
        server: &str,
    ) -> std::io::Result<(bool, Zeroizing<Vec<u8>>)> {
        let path = self.folder.as_ref().map_or_else(|| program.into(), |at| at.join(program));
        #[expect(
            clippy::disallowed_methods,
            reason = "the one kind of program that is started, and only if its name was listed"
        )]
        let command = std::process::Command::new(path);
        let mut child = tokio::process::Command::from(command)
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A helper that does not read its input may have ended; its answer counts.
            match stdin.write_all(server.as_bytes()).await {
                Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        let mut said = Zeroizing::new(Vec::new());
        if let Some(stdout) = child.stdout.take() {
            stdout.take(LARGEST_ANSWER).read_to_end(&mut said).await?;
        }
        Ok((child.wait().await?.success(), said))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    async fn ask(script: &str, name: &str, allowed: &str) -> Result<Option<Credential>, Fault> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(format!("docker-credential-{name}"));
        fs_err::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        let mut permissions = std::fs::metadata(&path).unwrap().permissions();
        permissions.set_mode(0o700);
        std::fs::set_permissions(&path, permissions).unwrap();
        let helpers = CredentialHelpers::new([allowed.to_owned()]).in_folder(folder.path());
        let helper = Helper {
            name: name.to_owned(),
            server: "r.example".to_owned(),
            file: PathBuf::from("config.json"),
        };
        helpers.ask(&helper, &"r.example".parse().unwrap()).await
    }

    #[tokio::test]
    async fn a_helper_that_is_listed_is_asked_for_the_registry() {
        let script = r#"read -r server; [ "$#" = 1 ] && [ "$1" = get ] || exit 3
            printf '{"ServerURL":"%s","Username":"me@%s","Secret":"pw"}' "$server" "$server""#;
        match ask(script, "mine", "mine").await {
            Ok(Some(Credential::Basic { username, password })) => {
                assert_eq!(username, "me@r.example");
                assert_eq!(password.expose_text(), Some("pw"));
            }
            other => panic!("{:?}", other.map(|found| found.is_some())),
        }
        let token = r#"echo '{"Username":"<token>","Secret":"t"}'"#;
        let found = ask(token, "mine", "mine").await;
        assert!(matches!(found, Ok(Some(Credential::IdentityToken(_)))));
        let none = format!("echo '{NOT_FOUND}'; exit 1");
        assert!(matches!(ask(&none, "mine", "mine").await, Ok(None)));
    }

    #[tokio::test]
    async fn who_is_not_listed_is_not_started() {
        let folder = tempfile::tempdir().unwrap();
        let trace = folder.path().join("started");
        let script = format!("touch {}", trace.display());
        for (name, allowed) in [("mine", "other"), ("Mine", "Mine"), ("mine", "")] {
            let fault = ask(&script, name, allowed).await.err().unwrap();
            assert!(fault.message.ends_with("which is not enabled"), "{fault}");
        }
        let outside =
            Helper { name: "../../bin/sh".to_owned(), server: String::new(), file: PathBuf::new() };
        let helpers = CredentialHelpers::new(["../../bin/sh".to_owned()]);
        assert!(helpers.ask(&outside, &"r.example".parse().unwrap()).await.is_err());
        assert!(!trace.exists());
    }

    #[tokio::test]
    async fn what_a_helper_says_is_bounded_and_never_shown() {
        for script in [
            "echo hunter2; exit 1",
            "echo '{\"Username\":\"hunter2\"}'",
            "yes hunter2",
            "echo hunter2 >&2",
            "exit 0",
        ] {
            let fault = ask(script, "mine", "mine").await.err().unwrap();
            assert_eq!(fault.kind, Kind::Unauthorized, "{script}");
            assert!(!format!("{fault:?}").contains("hunter2"), "{fault:?}");
        }
    }
}
