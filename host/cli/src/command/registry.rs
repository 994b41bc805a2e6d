//! `windlass registry serve`: a registry over a directory of OCI layouts.

use std::sync::Arc;

use oci::{Access, AccessLog, ServeOptions};
use report::{Fault, Kind};
use tokio::net::TcpListener;

use super::{Failure, print_line};
use crate::args::Registry;
use crate::exit::Exit;
use crate::settings::Settings;
use crate::signals::Signals;
use crate::ui;

pub(super) async fn registry(command: Registry, settings: &Settings) -> Result<Exit, Failure> {
    let Registry::Serve { root, listen, access_log } = command;
    let registry = oci::LayoutRegistry::open(&root).map_err(Fault::from)?;
    let listener = TcpListener::bind(listen).await.map_err(|error| {
        Fault::new(Kind::Failed, format!("cannot listen on {listen}"))
            .cause(error)
            .help("stop what listens there, or choose another port with `--listen 127.0.0.1:0`")
    })?;
    let address =
        listener.local_addr().map_err(|error| Fault::new(Kind::Internal, error.to_string()))?;
    print_line(&format!("listening on http://{address}"));
    if !settings.quiet {
        anstream::eprintln!("serving {}; Ctrl-C ends it", root.display());
    }
    let log = access_log.then(|| Arc::new(Lines) as Arc<dyn AccessLog>);
    let served = Signals::watch(async |signals| {
        let stop = signals.stop.clone();
        let options = ServeOptions { log, ..ServeOptions::default() };
        let stopped = async move { stop.cancelled().await };
        oci::serve_with(listener, Arc::new(registry), options, stopped).await;
    })
    .await;
    match served {
        Ok(()) => Ok(Exit::Ok),
        Err(error) => {
            Err(Fault::new(Kind::Failed, "the registry stopped").cause(error).into())
        }
    }
}

/// Requests as lines on standard error.
struct Lines;

impl AccessLog for Lines {
    fn record(&self, access: &Access<'_>) {
        let Access { method, target, status, elapsed } = access;
        anstream::eprintln!("{method} {target} {} {}", status.as_u16(), ui::took(*elapsed));
    }
}
