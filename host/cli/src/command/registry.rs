//! `windlass registry`: serves a directory of OCI layouts, and cleans it up.

use std::sync::Arc;

use oci::{AccessLog, GarbageOptions, LayoutRegistry, ServeOptions, Tls, Users};
use report::{Fault, Kind};
use tokio::net::TcpListener;

use super::access_log::Lines;
use super::{Failure, print_json, print_line};
use crate::args::{CollectGarbage, Format, Registry, ServeRegistry};
use crate::exit::Exit;
use crate::settings::Settings;
use crate::signals::Signals;
use crate::ui;

pub(super) async fn registry(command: Registry, settings: &Settings) -> Result<Exit, Failure> {
    match command {
        Registry::Serve(arguments) => serve(arguments, settings).await,
        Registry::Gc(arguments) => collect_garbage(arguments).await,
    }
}

async fn serve(arguments: ServeRegistry, settings: &Settings) -> Result<Exit, Failure> {
    let ServeRegistry { root, listen, access_log, .. } = &arguments;
    let registry = LayoutRegistry::open(root).map_err(Fault::from)?;
    let (users, tls) = (users(&arguments)?, tls(&arguments)?);
    let log = access_log.as_deref().map(Lines::open).transpose()?;
    let log = log.map(|lines| Arc::new(lines) as Arc<dyn AccessLog>);
    let listener = TcpListener::bind(listen).await.map_err(|error| {
        Fault::new(Kind::Failed, format!("cannot listen on {listen}"))
            .cause(error)
            .help("stop what listens there, or choose another port with `--listen 127.0.0.1:0`")
    })?;
    let address =
        listener.local_addr().map_err(|error| Fault::new(Kind::Internal, error.to_string()))?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    print_line(&format!("listening on {scheme}://{address}"));
    if !settings.quiet {
        if users.is_none() && !address.ip().is_loopback() {
            anstream::eprintln!("anybody who reaches {address} may push; `--htpasswd` asks who");
        }
        anstream::eprintln!("serving {}; Ctrl-C ends it", root.display());
    }
    let served = Signals::watch(async |signals| {
        let stop = signals.stop.clone();
        let options = ServeOptions { log, users, tls };
        let stopped = async move { stop.cancelled().await };
        oci::serve_with(listener, Arc::new(registry), options, stopped).await;
    })
    .await;
    match served {
        Ok(()) => Ok(Exit::Ok),
        Err(error) => Err(Fault::new(Kind::Failed, "the registry stopped").cause(error).into()),
    }
}

fn users(arguments: &ServeRegistry) -> Result<Option<Arc<Users>>, Failure> {
    let Some(path) = &arguments.htpasswd else { return Ok(None) };
    let listen = arguments.listen;
    if arguments.tls_cert.is_none() && !listen.ip().is_loopback() && !arguments.insecure {
        let message = format!("passwords would travel to {listen} in clear text");
        return Err(Failure::Usage(Fault::new(Kind::Invalid, message).help(
            "add `--tls-cert FILE --tls-key FILE`, listen on 127.0.0.1, or accept it with \
             `--insecure`",
        )));
    }
    Ok(Some(Arc::new(Users::open(path).map_err(Fault::from)?)))
}

fn tls(arguments: &ServeRegistry) -> Result<Option<Tls>, Failure> {
    match (&arguments.tls_cert, &arguments.tls_key) {
        (Some(certificate), Some(key)) => {
            Ok(Some(Tls::open(certificate, key).map_err(Fault::from)?))
        }
        (None, _) | (_, None) => Ok(None),
    }
}

async fn collect_garbage(arguments: CollectGarbage) -> Result<Exit, Failure> {
    let CollectGarbage { root, dry_run, older_than, untagged, format } = arguments;
    if !root.is_dir() {
        let message = format!("there is no registry in `{}`", root.display());
        let help = "name its directory with `--root DIR`";
        return Err(Fault::new(Kind::NotFound, message).help(help).into());
    }
    let registry = LayoutRegistry::open(&root).map_err(Fault::from)?;
    let options = GarbageOptions { dry_run, older_than, untagged };
    let found = registry.collect_garbage(options).await.map_err(Fault::from)?;
    match format {
        Format::Json => print_json(&serde_json::json!({
            "dry-run": dry_run,
            "repositories": found.repositories,
            "manifests": found.manifests,
            "blobs": found.blobs,
            "bytes": found.bytes,
        }))?,
        Format::Human => {
            let done = if dry_run { "would remove" } else { "removed" };
            print_line(&format!(
                "{done} {} manifests and {} blobs ({}) from {} repositories",
                found.manifests,
                found.blobs,
                ui::bytes(found.bytes),
                found.repositories
            ));
        }
    }
    Ok(Exit::Ok)
}
