//! The storage account of tasks: contexts are put there, logs are read there.

use std::path::PathBuf;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::StreamExt as _;
use http::{HeaderValue, StatusCode};
use md5::{Digest as _, Md5};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

use super::sas;
use crate::answer::Refusal;
use crate::azure::Azure;
use crate::call::Call;

/// What one request may put, as the service has it.
const LARGEST_BLOB: u64 = 5000 * 1024 * 1024;

/// What is read for one answer; clients ask for 4 KiB at a time.
const LARGEST_PART: u64 = 4 * 1024 * 1024;

/// Segments of a blob's path.
const MOST_SEGMENTS: usize = 8;

pub(crate) async fn answer(azure: &Azure, call: &Call, body: Body) -> Result<Response, Refusal> {
    let Some(file) = file(azure, call) else {
        return Ok(refuse(404, "ResourceNotFound", "The specified resource does not exist."));
    };
    match call.method.as_str() {
        "PUT" if !sas::permits(azure, call, &['c', 'w']) => Ok(denied()),
        "PUT" if call.query("comp").is_some() => {
            Err(Refusal::unknown("PUT (in blocks)", &call.path))
        }
        "PUT" => put(call, body, file).await,
        "GET" | "HEAD" if !sas::permits(azure, call, &['r']) => Ok(denied()),
        "GET" | "HEAD" => get(azure, call, file).await,
        method => Err(Refusal::unknown(method, &call.path)),
    }
}

/// The file of a blob. Names have no way out of the folder.
fn file(azure: &Azure, call: &Call) -> Option<PathBuf> {
    let fine = |segment: &String| {
        segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
            && !segment.starts_with('.')
    };
    let ok = (2..=MOST_SEGMENTS).contains(&call.path.len()) && call.path.iter().all(fine);
    let folder = azure.config.state.join("blobs");
    ok.then(|| call.path.iter().fold(folder, |at, segment| at.join(segment)))
}

/// An error as storage writes them.
fn refuse(status: u16, code: &'static str, message: &str) -> Response {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = [("x-ms-error-code", code), ("content-type", "application/xml")];
    (status, headers, text).into_response()
}

fn denied() -> Response {
    refuse(
        403,
        "AuthenticationFailed",
        "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature.",
    )
}

fn broken(error: &std::io::Error) -> Refusal {
    tracing::warn!(%error, "a blob could not be kept or read");
    Refusal::internal()
}

async fn put(call: &Call, body: Body, file: PathBuf) -> Result<Response, Refusal> {
    if call.header("x-ms-blob-type") != Some("BlockBlob") {
        return Ok(refuse(
            400,
            "MissingRequiredHeader",
            "An HTTP header that's mandatory for this request is not specified: x-ms-blob-type has to be BlockBlob.",
        ));
    }
    let folder = file.parent().map(PathBuf::from).unwrap_or_default();
    fs_err::tokio::create_dir_all(&folder).await.map_err(|e| broken(&e))?;
    let temporary = tempfile::NamedTempFile::new_in(&folder).map_err(|e| broken(&e))?;
    let mut out = fs_err::tokio::File::create(temporary.path()).await.map_err(|e| broken(&e))?;
    let mut stream = body.into_data_stream();
    let mut size = 0;
    let mut digest = Md5::new();
    while let Some(chunk) = stream.next().await {
        let Ok(chunk) = chunk else {
            return Ok(refuse(400, "IncompleteBody", "The request body ended too soon."));
        };
        size += chunk.len() as u64;
        if size > LARGEST_BLOB {
            return Ok(refuse(413, "RequestBodyTooLarge", "The request body is too large."));
        }
        digest.update(&chunk);
        out.write_all(&chunk).await.map_err(|e| broken(&e))?;
    }
    out.flush().await.map_err(|e| broken(&e))?;
    drop(out);
    temporary.persist(&file).map_err(|e| broken(&e.error))?;
    let mut response = StatusCode::CREATED.into_response();
    let headers = response.headers_mut();
    common(headers, size);
    headers.insert("x-ms-request-server-encrypted", HeaderValue::from_static("true"));
    if let Ok(value) = BASE64_STANDARD.encode(digest.finalize()).parse() {
        headers.insert("content-md5", value);
    }
    Ok(response)
}

fn common(headers: &mut http::HeaderMap, size: u64) {
    headers.insert("x-ms-version", HeaderValue::from_static("2021-12-02"));
    let tag = format!("\"0x8D{size:012X}\"");
    let now = httpdate::fmt_http_date(std::time::UNIX_EPOCH);
    for (name, value) in [("etag", tag), ("last-modified", now)] {
        if let Ok(value) = value.parse() {
            headers.insert(name, value);
        }
    }
}

/// `bytes=FROM-TO`, both included.
fn range(call: &Call, size: u64) -> Option<Option<(u64, u64)>> {
    let Some(text) = call.header("x-ms-range").or_else(|| call.header("range")) else {
        return Some(None);
    };
    let (from, to) = text.strip_prefix("bytes=")?.split_once('-')?;
    let from: u64 = from.parse().ok()?;
    let last = size.checked_sub(1)?;
    let to = if to.is_empty() { last } else { to.parse::<u64>().ok()?.min(last) };
    (from <= to).then_some(Some((from, to)))
}

async fn get(azure: &Azure, call: &Call, file: PathBuf) -> Result<Response, Refusal> {
    let mut opened = match fs_err::tokio::File::open(&file).await {
        Ok(opened) => opened,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(refuse(404, "BlobNotFound", "The specified blob does not exist."));
        }
        Err(error) => return Err(broken(&error)),
    };
    // Whether it is complete is asked before its size: what comes after would be missed otherwise.
    let complete = super::run::outcome_of_log(azure, &call.path);
    let size = opened.metadata().await.map_err(|e| broken(&e))?.len();
    let Some(range) = range(call, size) else {
        return Ok(refuse(
            416,
            "InvalidRange",
            "The range specified is invalid for the current size of the resource.",
        ));
    };
    let (from, to) = range.unwrap_or((0, size.saturating_sub(1)));
    let length = (to + 1 - from).min(LARGEST_PART).min(size);
    let mut response = if call.method == http::Method::HEAD {
        let mut response = Response::new(Body::empty());
        response.headers_mut().insert("content-length", size.into());
        response
    } else {
        opened.seek(std::io::SeekFrom::Start(from)).await.map_err(|e| broken(&e))?;
        let mut bytes = Vec::new();
        opened.take(length).read_to_end(&mut bytes).await.map_err(|e| broken(&e))?;
        let read = bytes.len() as u64;
        let mut response = Response::new(Body::from(bytes));
        if range.is_some() {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let text = format!("bytes {from}-{}/{size}", (from + read).saturating_sub(1));
            if let Ok(value) = text.parse() {
                response.headers_mut().insert("content-range", value);
            }
        }
        response
    };
    let headers = response.headers_mut();
    common(headers, size);
    headers.insert("accept-ranges", HeaderValue::from_static("bytes"));
    headers.insert("content-type", HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert("x-ms-blob-type", HeaderValue::from_static("AppendBlob"));
    headers.insert("x-ms-blob-committed-block-count", HeaderValue::from_static("1"));
    if let Some(complete) = complete {
        headers.insert("x-ms-meta-complete", HeaderValue::from_static(complete));
    }
    Ok(response)
}
