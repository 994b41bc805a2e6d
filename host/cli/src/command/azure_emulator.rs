//! `windlass azure-emulator`: Azure on loopback, for tests, demos and work without a network.

mod builder;

use std::collections::BTreeMap;
use std::sync::Arc;

use ::azure_emulator::{Config, Emulator};
use report::{Fault, Kind};

use self::builder::PipelineBuilder;
use super::{Failure, print_line};
use crate::args::AzureEmulator;
use crate::exit::Exit;
use crate::settings::Settings;
use crate::signals::Signals;

pub(super) async fn serve(arguments: AzureEmulator, settings: &Settings) -> Result<Exit, Failure> {
    let AzureEmulator { state, listen, upstreams, registries, vaults } = arguments;
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
            "for windlass: HTTPS_PROXY={} SSL_CERT_FILE={}",
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
