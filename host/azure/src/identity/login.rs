//! An application logs in: what it proves itself with, and where that comes from.

use std::path::{Path, PathBuf};

use report::Secret;
use tokio::io::AsyncReadExt as _;
use url::Url;
use zeroize::Zeroizing;

use super::{Certificate, Identity, SecretReader};
use crate::certificate::{CertificateError, Signer};
use crate::error::Error;
use crate::link::entra::{self, Proof};
use crate::link::{Found, Link, Looked, found, github};
use crate::token::Token;

/// A certificate with its key, or a token, has less.
const LARGEST_FILE: u64 = 64 * 1024;

impl Identity {
    /// Logs an application in at Entra ID.
    pub(super) async fn login(
        &self,
        link: Link,
        resource: &str,
        secrets: &dyn SecretReader,
    ) -> Looked<Token> {
        // What has to be there is looked for first, so that nothing is asked in vain.
        found!(self.material(link));
        let (client, tenant) = (self.client_id(), self.tenant());
        let (Some(client), Some(tenant)) = (client, tenant) else {
            return Ok(Found::nothing(
                "AZURE_CLIENT_ID and AZURE_TENANT_ID are not both set",
                "give the identity `client-id` and `tenant`",
            ));
        };
        let url = self.0.cloud.token_url(&tenant);
        let url = url.ok_or_else(|| Error::Setting("logins have no URL".to_owned()))?;
        let proof = found!(self.proof(link, &client, &url, secrets).await?);
        let token = entra::login(self, link, url, &client, &proof, resource).await?;
        Ok(Found::Some(token))
    }

    /// Whether `link` has something to prove who we are.
    fn material(&self, link: Link) -> Found<()> {
        let variables: &[&str] = match link {
            Link::ClientSecret => &["AZURE_CLIENT_SECRET"],
            Link::Certificate => &["AZURE_CLIENT_CERTIFICATE_PATH"],
            Link::FederatedToken => &["AZURE_FEDERATED_TOKEN_FILE"],
            Link::GitHub => &[github::URL, github::TOKEN],
            Link::Managed | Link::Cli => &[],
        };
        let missing = variables.iter().find(|name| self.variable(name).is_none());
        match missing {
            Some(name) if !self.is_said(link) => {
                let help = match link {
                    Link::GitHub => "give the job `permissions: id-token: write`".to_owned(),
                    Link::ClientSecret
                    | Link::Certificate
                    | Link::FederatedToken
                    | Link::Managed
                    | Link::Cli => format!("set {name}, or say it in `[identity.{}]`", self.name()),
                };
                Found::nothing(format!("{name} is not set"), help)
            }
            _ => Found::Some(()),
        }
    }

    async fn proof(
        &self,
        link: Link,
        client: &str,
        url: &Url,
        secrets: &dyn SecretReader,
    ) -> Looked<Proof> {
        let options = &self.0.options;
        Ok(Found::Some(match link {
            Link::ClientSecret => Proof::Secret(match &options.client_secret {
                Some(name) => secrets.read(name, url).await?,
                None => self.secret_variable("AZURE_CLIENT_SECRET"),
            }),
            Link::Certificate => {
                let path = || self.variable("AZURE_CLIENT_CERTIFICATE_PATH").map(PathBuf::from);
                let pem = match (&options.certificate, path()) {
                    (Some(Certificate::Secret(name)), _) => secrets.read(name, url).await?,
                    (Some(Certificate::File(path)), _) => self.file(link, path).await?,
                    (None, path) => self.file(link, &path.unwrap_or_default()).await?,
                };
                let wrong = |error: CertificateError| Error::Missing {
                    identity: self.name().to_owned(),
                    link,
                    why: error.to_string(),
                    help: error.help().to_owned(),
                };
                let signer = Signer::parse(&pem).map_err(wrong)?;
                let signed = signer.assertion(client, url.as_str(), self.now()).map_err(wrong)?;
                Proof::Assertion(signed)
            }
            Link::GitHub => Proof::Assertion(found!(github::token(self).await?)),
            // Read each time: whoever writes it replaces it when it is nearly over.
            Link::FederatedToken | Link::Managed | Link::Cli => {
                let path = || self.variable("AZURE_FEDERATED_TOKEN_FILE").map(PathBuf::from);
                let path = options.federated_token_file.clone().or_else(path).unwrap_or_default();
                let token = self.file(link, &path).await?;
                self.mask().learn(&token);
                Proof::Assertion(token)
            }
        }))
    }

    /// The text of a file, without space around it.
    async fn file(&self, link: Link, path: &Path) -> Result<Secret, Error> {
        let missing = |why: String| Error::Missing {
            identity: self.name().to_owned(),
            link,
            why,
            help: format!("check the path `{}`", path.display()),
        };
        let mut bytes = Zeroizing::new(Vec::new());
        let file = fs_err::tokio::File::open(path).await;
        let file = file.map_err(|error| missing(error.to_string()))?;
        let read = file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).await;
        read.map_err(|error| missing(error.to_string()))?;
        if bytes.len() as u64 > LARGEST_FILE {
            return Err(missing("its file has more than 64 KiB".to_owned()));
        }
        match bytes.trim_ascii() {
            [] => Err(missing("its file is empty".to_owned())),
            text => Ok(Secret::new(text)),
        }
    }

    fn secret_variable(&self, name: &str) -> Secret {
        let secret = Secret::new(self.variable(name).unwrap_or_default());
        self.mask().learn(&secret);
        secret
    }
}
