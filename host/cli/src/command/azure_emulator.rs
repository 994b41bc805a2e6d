//! `windlass azure-emulator`: Azure on loopback, for tests, demos and work without a network.

mod builder;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use ::azure_emulator::{Config, Emulator, OciRuntime, Runner};
use report::{Fault, Kind};

use self::builder::PipelineBuilder;
use super::access_log::Lines;
use super::{Failure, print_line};
use crate::args::AzureEmulator;
use crate::exit::Exit;
use crate::settings::Settings;
use crate::signals::Signals;

pub(super) async fn serve(arguments: AzureEmulator, settings: &Settings) -> Result<Exit, Failure> {
    let AzureEmulator { state, listen, upstreams, runtime, registries, vaults, access_log } =
        arguments;
    let state = std::path::absolute(&state).map_err(|error| {
        Fault::new(Kind::Failed, "the present directory has no path").cause(error)
    })?;
    let mut config = Config::new(&state);
    config.listen = listen;
    config.upstreams = upstreams.into_iter().collect::<BTreeMap<_, _>>();
    config.names.registries.extend(registries);
    config.names.vaults.extend(vaults);
    let builder = Arc::new(PipelineBuilder::new(&config, settings));
    config.builder = Some(Arc::clone(&builder) as Arc<dyn ::azure_emulator::Builder>);
    let log = access_log.as_deref().map(Lines::open).transpose()?;
    config.log = log.map(|lines| Arc::new(lines) as Arc<dyn ::azure_emulator::AccessLog>);
    config.runner = runner(runtime.as_deref(), settings).await?;
    let names = config.names.clone();
    let emulator = Emulator::start(config).await.map_err(Fault::from)?;
    builder.goes_through(emulator.proxy_url());
    print_line(&format!("listening on {}", emulator.proxy_url()));
    if !settings.quiet {
        let ca = state.join("ca.pem");
        anstream::eprintln!(
            "for az:       HTTPS_PROXY={} REQUESTS_CA_BUNDLE={}",
            emulator.proxy_url(),
            ca.display()
        );
        anstream::eprintln!(
            "for windlass: HTTPS_PROXY={0} HTTP_PROXY={0} SSL_CERT_FILE={1}",
            emulator.proxy_url(),
            ca.display()
        );
        anstream::eprintln!(
            "tenant {}, application {} with the secret `s3cr3t`; Ctrl-C ends it",
            names.tenant,
            names.application
        );
    }
    let served = Signals::watch(async |signals| signals.stop.cancelled().await).await;
    emulator.shutdown().await;
    match served {
        Ok(()) => Ok(Exit::Ok),
        Err(error) => Err(Fault::new(Kind::Failed, "signals cannot be heard").cause(error).into()),
    }
}

/// What runs containers: the program that is named, or one that is there; nothing if it is `none`.
async fn runner(
    named: Option<&str>,
    settings: &Settings,
) -> Result<Option<Arc<dyn Runner>>, Failure> {
    let programs: Vec<PathBuf> = match named {
        Some("none") => return Ok(None),
        Some(name) if name.contains('/') => vec![name.into()],
        Some(name) => settings.program(name).into_iter().collect(),
        None => ["runc", "crun"].into_iter().filter_map(|name| settings.program(name)).collect(),
    };
    for program in programs {
        if let Some(runtime) = OciRuntime::find(program).await {
            return Ok(Some(Arc::new(runtime)));
        }
    }
    match named {
        None => Ok(None),
        Some(name) => {
            let fault = Fault::new(Kind::NotFound, format!("`{name}` is no OCI runtime"));
            Err(Failure::Usage(fault.help("`apt-get install runc`, or `--runtime none`")))
        }
    }
}
