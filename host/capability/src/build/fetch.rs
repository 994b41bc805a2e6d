//! What a build fetches over HTTP: `ADD URL`, and git repositories. Through the gate, like every request of a step.

use build::context::git::{GitHttp, GitReply};
use bytes::Bytes;
use futures::StreamExt as _;
use http::{Method, StatusCode, header};
use http_body_util::{BodyExt as _, BodyStream, Empty, Full};
use report::{Fault, Kind, SafeUrl, Side};
use tokio::io::AsyncWriteExt as _;
use url::Url;

use super::{GrantedBuild, invalid};
use crate::http::{Body, Timeouts};

/// As browsers do; each hop is asked of the gate.
const MOST_REDIRECTS: usize = 10;

/// 4 GiB: larger than any file that belongs into an image.
const LARGEST_DOWNLOAD: u64 = 4 * 1024 * 1024 * 1024;

impl GrantedBuild {
    /// The file at `url`, held against `checksum`; its name is the last word of the URL's path.
    ///
    /// # Errors
    /// `denied.http`, `invalid.build`, `build.checksum-mismatch`, `not-found.build`, …
    pub(super) async fn download(
        &self,
        url: &str,
        checksum: Option<&str>,
    ) -> Result<build::Download, Fault> {
        let wanted: Option<::oci::Digest> = checksum.map(str::parse).transpose().map_err(|_| {
            invalid(format!("`{}` is no checksum", checksum.unwrap_or_default()))
                .help("write it as `sha256:` and 64 hexadecimal digits")
        })?;
        let first: Url = url.parse().map_err(|_| {
            invalid(format!("`{url}` is no URL")).help("write it as `https://example.com/file`")
        })?;
        let name = build::Download::name_of(first.path()).ok_or_else(|| {
            invalid(format!("`{url}` has no file name"))
                .help("say with the destination what the file is called")
        });
        let mut url = first.clone();
        for _ in 0..=MOST_REDIRECTS {
            let response = self.get(&url).await?;
            if response.status().is_redirection()
                && let Some(location) = response.headers().get(header::LOCATION)
            {
                url = next(&url, location)?;
                continue;
            }
            if response.status() != StatusCode::OK {
                return Err(refused(&url, response.status()));
            }
            let modified = response
                .headers()
                .get(header::LAST_MODIFIED)
                .and_then(|value| value.to_str().ok())
                .and_then(build::Download::parse_time);
            let (file, digest) = self.store(&url, response.into_body(), wanted).await?;
            return Ok(build::Download { name: name.ok(), file, digest, modified });
        }
        Err(endless(&first))
    }

    async fn get(&self, url: &Url) -> Result<http::Response<Body>, Fault> {
        let empty = Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync();
        let request = http::Request::builder().method(Method::GET).uri(url.as_str()).body(empty);
        let request = request.map_err(|_| invalid(format!("`{url}` is no URL")))?;
        self.http.forward(request, Timeouts::default()).await
    }

    /// Writes a body into a file of the build's own, hashed on its way.
    async fn store(
        &self,
        url: &Url,
        body: Body,
        wanted: Option<::oci::Digest>,
    ) -> Result<(tempfile::NamedTempFile, ::oci::Digest), Fault> {
        let full = |error: std::io::Error| {
            Fault::new(Kind::Failed, "a download cannot be written").code("build.io").cause(error)
        };
        let temporary = tempfile::NamedTempFile::new().map_err(full)?;
        let opened = temporary.reopen().map_err(full)?;
        let mut file = tokio::fs::File::from_std(opened);
        let algorithm = wanted.as_ref().map_or(::oci::Algorithm::Sha256, ::oci::Digest::algorithm);
        let mut hasher = ::oci::Hasher::new(algorithm);
        let mut size = 0_u64;
        let mut frames = BodyStream::new(body);
        while let Some(frame) = frames.next().await {
            let frame = frame.map_err(|error| match error.downcast::<Fault>() {
                Ok(fault) => *fault,
                Err(error) => {
                    Fault::new(Kind::Transient, format!("`{}` broke off", SafeUrl::new(url)))
                        .code("build.download")
                        .cause(error)
                }
            })?;
            let Ok(bytes) = frame.into_data() else { continue };
            size += bytes.len() as u64;
            if size > LARGEST_DOWNLOAD {
                return Err(invalid(format!("`{}` has more than 4 GiB", SafeUrl::new(url))));
            }
            hasher.update(&bytes);
            file.write_all(&bytes).await.map_err(full)?;
        }
        file.flush().await.map_err(full)?;
        let digest = hasher.finish();
        match wanted {
            Some(wanted) if wanted != digest => Err(Fault::new(
                Kind::Mismatch,
                format!("`{}` has the digest {digest}, not {wanted}", SafeUrl::new(url)),
            )
            .code("build.checksum-mismatch")
            .side(Side::Remote)
            .help("check what is there; if it is right, put its digest into `--checksum`")),
            _ => Ok((temporary, digest)),
        }
    }
}

fn next(url: &Url, location: &http::HeaderValue) -> Result<Url, Fault> {
    let target = location.to_str().ok().and_then(|text| url.join(text).ok());
    target.ok_or_else(|| {
        Fault::new(Kind::Failed, format!("`{}` redirects to what is no URL", SafeUrl::new(url)))
            .code("build.redirects")
            .side(Side::Remote)
    })
}

fn refused(url: &Url, status: StatusCode) -> Fault {
    let (kind, code) = match status.as_u16() {
        404 | 410 => (Kind::NotFound, "not-found.build"),
        401 | 403 => (Kind::Unauthorized, "unauthorized.build"),
        408 | 429 | 500.. => (Kind::Transient, "transient.build"),
        _ => (Kind::Failed, "build.download"),
    };
    Fault::new(kind, format!("`{}` answered {status}", SafeUrl::new(url)))
        .code(code)
        .side(Side::Remote)
}

/// Git repositories, fetched through the gate. For a thread of its own: it waits.
pub(super) struct GitOverHttp {
    granted: GrantedBuild,
    runtime: tokio::runtime::Handle,
}

impl GitOverHttp {
    pub(super) fn new(granted: GrantedBuild) -> Self {
        Self { granted, runtime: tokio::runtime::Handle::current() }
    }

    async fn exchange(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<GitReply, Fault> {
        let mut url: Url = url.parse().map_err(|_| invalid(format!("`{url}` is no URL")))?;
        for _ in 0..=MOST_REDIRECTS {
            let body = Full::new(Bytes::copy_from_slice(body)).map_err(|never| match never {});
            let mut request = http::Request::builder().method(method.clone()).uri(url.as_str());
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let request = request.body(body.boxed_unsync());
            let request = request.map_err(|_| invalid(format!("`{url}` is no URL")))?;
            let response = self.granted.http.forward(request, Timeouts::default()).await?;
            if response.status().is_redirection()
                && let Some(location) = response.headers().get(header::LOCATION)
            {
                url = next(&url, location)?;
                continue;
            }
            if response.status() != StatusCode::OK {
                return Err(refused(&url, response.status()));
            }
            let (file, _) = self.granted.store(&url, response.into_body(), None).await?;
            let body = file.reopen().map_err(|error| {
                Fault::new(Kind::Failed, "a repository cannot be kept")
                    .code("build.io")
                    .cause(error)
            })?;
            return Ok(GitReply { url: url.to_string(), body: Box::new(body) });
        }
        Err(endless(&url))
    }
}

impl GitHttp for GitOverHttp {
    fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<GitReply, Fault> {
        self.runtime.block_on(self.exchange(Method::GET, url, headers, &[]))
    }

    fn post(&self, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<GitReply, Fault> {
        self.runtime.block_on(self.exchange(Method::POST, url, headers, body))
    }
}

fn endless(url: &Url) -> Fault {
    Fault::new(Kind::Failed, format!("`{}` redirects without end", SafeUrl::new(url)))
        .code("build.redirects")
        .side(Side::Remote)
}
