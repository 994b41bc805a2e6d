//! What an instance carries with it.

use capability::Granted;
use report::{Fault, Kind};
use wasmtime::StoreLimits;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::host::wasi_http::Egress;
use crate::limits::{self, Limits};
use crate::stdio::{GuestOutput, Stream};

/// The state of one instance; dropped with it.
pub(crate) struct StepState {
    pub(crate) granted: Granted,
    pub(crate) table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    egress: Egress,
    limits: StoreLimits,
    errors: GuestOutput,
}

impl StepState {
    /// An instance that can do what is `granted` and no more: no environment, no arguments, no
    /// sockets; files only below `/workspace`, as far as they were granted.
    pub(crate) fn new(granted: Granted, limits: Limits) -> Result<Self, Fault> {
        let output = GuestOutput::new(&granted.log, Stream::Out);
        let errors = GuestOutput::new(&granted.log, Stream::Err);
        let mut wasi = WasiCtx::builder();
        wasi.stdout(output).stderr(errors.clone());
        for preopen in granted.workspace.preopens()? {
            let permissions = if preopen.writable { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
            wasi.preopened_dir(&preopen.host, &preopen.guest, permissions).map_err(|error| {
                let path = preopen.host.display();
                Fault::new(Kind::NotFound, format!("the granted folder {path} cannot be opened"))
                    .code("not-found.workspace")
                    .cause(format!("{:#}", error.root_cause()))
                    .help("create it, or change `workspace` in `[step.grant]`")
            })?;
        }
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits::HANDLES);
        Ok(Self {
            egress: Egress::new(granted.http.clone(), granted.log.clone()),
            granted,
            table,
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            limits: limits.of_store(),
            errors,
        })
    }

    pub(crate) fn limits(&mut self) -> &mut StoreLimits {
        &mut self.limits
    }

    /// The end of what the guest wrote to its standard error: a panic's text, usually.
    pub(crate) fn last_words(&self) -> String {
        self.errors.tail()
    }
}

impl WasiView for StepState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for StepState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.egress }
    }
}
