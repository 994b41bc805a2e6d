//! The emulator on its own: `cargo run -p windlass-azure-emulator --example serve -- FOLDER [ADDRESS]`.
//!
//! Says where it is, one `NAME=VALUE` a line, and serves until it is interrupted.
#![expect(clippy::print_stdout, reason = "what it says is what it is run for")]

use azure_emulator::{Config, Emulator};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("usage: serve FOLDER [ADDRESS]")?;
    let mut config = Config::new(&folder);
    if let Some(address) = arguments.next() {
        config.listen = address.parse()?;
    }
    // `HOST=URL`: where a registry of the outside really is.
    for upstream in arguments {
        let (host, url) = upstream.split_once('=').ok_or("an upstream is HOST=URL")?;
        config.upstreams.insert(host.to_owned(), url.parse()?);
    }
    let emulator = Emulator::start(config).await?;
    println!("HTTPS_PROXY={}", emulator.proxy_url());
    println!("BASE_URL={}", emulator.base_url());
    println!("CA={folder}/ca.pem");
    tokio::signal::ctrl_c().await?;
    emulator.shutdown().await;
    Ok(())
}
