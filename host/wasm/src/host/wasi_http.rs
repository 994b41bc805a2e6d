//! `wasi:http`: requests of ordinary HTTP libraries, through the same gate.

use capability::{BodyError, Field, GrantedHttp, Level, StepLog, Timeouts};
use http::HeaderName;
use http_body_util::BodyExt as _;
use report::{Fault, Kind};
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody,
    WasiHttpHooks,
};

/// Where `wasi:http` requests leave: nowhere but through the gate.
pub(crate) struct Egress {
    http: GrantedHttp,
    log: StepLog,
}

impl Egress {
    pub(crate) fn new(http: GrantedHttp, log: StepLog) -> Self {
        Self { http, log }
    }
}

/// What the hook returns: a response, and what is still to be done for its connection.
type Sent = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

impl WasiHttpHooks for Egress {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        std::sync::Arc::new(|name: &HeaderName| DEFAULT_FORBIDDEN_HEADERS.contains(name))
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _done: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        let (http, log) = (self.http.clone(), self.log.clone());
        Box::new(async move {
            let timeouts = options.map_or_else(Timeouts::default, |options| Timeouts {
                first_byte: options.first_byte_timeout,
                between_bytes: options.between_bytes_timeout,
            });
            let request = request.map(|body| body.map_err(BodyError::from).boxed_unsync());
            let response =
                http.forward(request, timeouts).await.map_err(|fault| refusal(&fault, &log))?;
            let response = response.map(|body| body.map_err(broken_body).boxed_unsync());
            let nothing: Box<dyn Future<Output = Result<(), Error>> + Send> =
                Box::new(async { Ok(()) });
            Ok((response, nothing))
        })
    }
}

/// `wasi:http` has no room for a reason, so the reason goes into the step's log.
fn refusal(fault: &Fault, log: &StepLog) -> Error {
    let help = fault.help.iter().map(|help| Field { name: "help".to_owned(), value: help.clone() });
    log.emit(Level::Error, &fault.to_string(), &help.collect::<Vec<_>>());
    match fault.kind {
        Kind::Denied => Error::HttpRequestDenied,
        Kind::Timeout => Error::HttpResponseTimeout,
        Kind::Invalid => Error::HttpRequestUriInvalid,
        Kind::Transient => Error::DestinationUnavailable,
        Kind::NotFound
        | Kind::Unauthorized
        | Kind::Conflict
        | Kind::Cancelled
        | Kind::Mismatch
        | Kind::Trap
        | Kind::Failed
        | Kind::Internal => Error::InternalError(Some(fault.to_string())),
    }
}

fn broken_body(error: BodyError) -> Error {
    Error::InternalError(Some(error.to_string()))
}
