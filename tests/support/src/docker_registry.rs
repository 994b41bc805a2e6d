//! Debian's docker-registry, the registry that most people run.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::certificate::Authority;
use crate::process::Running;
use crate::token_server::{CERTIFICATE, ISSUER, SERVICE, TokenServer};
use crate::tool;

/// The user that a registry with [`Access::Basic`] knows.
pub const USERNAME: &str = "anchor";
/// That user's password.
pub const PASSWORD: &str = "hunter-and-gatherer";
/// Both as `htpasswd -nbB -C 5` writes them.
pub const HTPASSWD: &str = "anchor:$2y$05$OkhXfhEc/Do4iw/NMPQNJ./lvjFpJOXO68t8YOSf6SLQH8Fvg6oc.\n";

/// How a registry is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// By anyone, over plain HTTP.
    Anonymous,
    /// With [`USERNAME`] and [`PASSWORD`], over plain HTTP.
    Basic,
    /// With a token, which a service of its own gives to [`USERNAME`] with [`PASSWORD`], and to
    /// anybody for pulling what is below `public/` or `library/`; over plain HTTP.
    Token,
    /// By anyone, over TLS with a certificate of a private authority.
    Tls,
}

/// A registry with a store of its own. Ends when dropped.
#[derive(Debug)]
pub struct DockerRegistry {
    running: Running,
    access: Access,
    port: u16,
    authority: Option<Authority>,
    tokens: Option<TokenServer>,
    folder: TempDir,
}

impl DockerRegistry {
    /// Starts a registry and waits until it listens.
    ///
    /// # Panics
    /// The program is missing, or does not start.
    pub fn start(access: Access) -> Self {
        Self::start_with(access, "")
    }

    /// Starts a registry that anyone reaches over plain HTTP, and that tells `url` of all that is
    /// done; `authorization` is what it says in that header. What is not answered with a 2xx is said
    /// again.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub fn telling(url: &str, authorization: &str) -> Self {
        let headers = format!("{{Authorization: ['{authorization}']}}");
        let patience = "timeout: 10s, threshold: 10, backoff: 100ms";
        let endpoint = format!("{{name: told, url: '{url}', headers: {headers}, {patience}}}");
        Self::start_with(
            Access::Anonymous,
            &format!("notifications: {{endpoints: [{endpoint}]}}\n"),
        )
    }

    fn start_with(access: Access, more: &str) -> Self {
        let folder =
            TempDir::with_prefix("docker-registry-").expect("a temporary folder can be made");
        let authority = (access == Access::Tls).then(|| Authority::new(folder.path()));
        let tokens = (access == Access::Token).then(|| TokenServer::start(folder.path()));
        let config = folder.path().join("config.yml");
        std::fs::write(folder.path().join("htpasswd"), HTPASSWD).expect("the folder is ours");
        let mut text = configuration(&folder, access, authority.as_ref());
        if let Some(tokens) = &tokens {
            let certificate = folder.path().join(CERTIFICATE);
            text += &format!(
                "auth: {{token: {{realm: '{}', service: {SERVICE}, issuer: {ISSUER}, \
                 rootcertbundle: {}}}}}\n",
                tokens.realm(),
                certificate.display()
            );
        }
        text += more;
        std::fs::write(&config, text).expect("the folder is ours");
        let mut command: Command = tool::command("docker-registry");
        command.arg("serve").arg(&config);
        let mut running = Running::start(command, b"");
        let port = running.wait_for("listening docker-registry", |_, stderr| {
            let (_, behind) = stderr.split_once("listening on 127.0.0.1:")?;
            behind.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        });
        Self { running, access, port, authority, tokens, folder }
    }

    /// `localhost:PORT` with TLS (the name in the certificate), else `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        let host = if self.access == Access::Tls { "localhost" } else { "127.0.0.1" };
        format!("{host}:{}", self.port)
    }

    /// The certificate of the authority behind [`Access::Tls`].
    ///
    /// # Panics
    /// The registry speaks plain HTTP.
    pub fn ca(&self) -> &PathBuf {
        &self.authority.as_ref().expect("only a registry with TLS has an authority").ca
    }

    /// The requests so far, `METHOD PATH STATUS` each, in the order of their answers.
    ///
    /// The log is written when an answer has been sent: a request whose answer a client has read
    /// may still be missing for a moment.
    pub fn requests(&self) -> Vec<String> {
        self.running.stdout().lines().filter_map(request_of_log).collect()
    }

    /// The requests for tokens so far, `METHOD PATH` each.
    ///
    /// # Panics
    /// The registry does not want tokens.
    pub fn token_requests(&self) -> Vec<String> {
        let tokens = self.tokens.as_ref().expect("only a registry with tokens has a service");
        tokens.requests().iter().map(|r| format!("{} {}", r.method, r.path)).collect()
    }

    /// Where the registry keeps its files.
    pub fn store(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

/// `127.0.0.1 - - [22/Nov/2026:17:53:40 +0000] "GET /v2/ HTTP/1.1" 200 2 "" "curl"`.
fn request_of_log(line: &str) -> Option<String> {
    let (_, behind) = line.split_once('"')?;
    let (request, behind) = behind.split_once('"')?;
    let mut words = request.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    Some(format!("{method} {path} {}", behind.split_whitespace().next()?))
}

/// The port is 0: the registry takes a free one and says which, so nobody can take it in between.
fn configuration(folder: &TempDir, access: Access, authority: Option<&Authority>) -> String {
    let folder = folder.path().display();
    let mut text = format!(
        "version: 0.1
log: {{level: info}}
storage:
  filesystem: {{rootdirectory: {folder}/data}}
  delete: {{enabled: true}}
  maintenance: {{uploadpurging: {{enabled: false}}}}
http:
  addr: 127.0.0.1:0
  secret: of-no-importance
"
    );
    if let Some(Authority { certificate, key, .. }) = authority {
        let (certificate, key) = (certificate.display(), key.display());
        text += &format!("  tls: {{certificate: {certificate}, key: {key}, minimumtls: tls1.2}}\n");
    }
    if access == Access::Basic {
        text += &format!("auth: {{htpasswd: {{realm: test, path: {folder}/htpasswd}}}}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Image, push_with_skopeo};
    use crate::skopeo::Skopeo;

    #[test]
    fn an_image_goes_in_and_comes_out_however_the_registry_is_reached() {
        let image = Image::multi_arch(&["linux/amd64", "linux/arm64/v8"], 1000);
        for access in [Access::Anonymous, Access::Basic, Access::Token, Access::Tls] {
            let registry = DockerRegistry::start(access);
            push_with_skopeo(&image, &registry, access, "team/app:v1");
            let folder = TempDir::new().unwrap();
            let reference = format!("docker://{}/team/app:v1", registry.address());
            Skopeo::of(&registry, access).pull_whole(&reference, folder.path());
            for (digest, bytes) in &image.blobs {
                let pulled = folder.path().join(digest.trim_start_matches("sha256:"));
                assert_eq!(&std::fs::read(pulled).unwrap(), bytes, "{access:?}");
            }
            let repository = format!("docker://{}/team/app", registry.address());
            assert_eq!(Skopeo::of(&registry, access).tags(&repository), ["v1"]);
            let none = format!("docker://{}/team/none", registry.address());
            assert_eq!(Skopeo::of(&registry, access).tags(&none), [""; 0]);
        }
    }
}
