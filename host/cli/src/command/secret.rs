//! `windlass secret`: the local encrypted store.

use std::io::{IsTerminal as _, Read as _};

use report::{Fault, Kind, Secret, closest};

use super::{Failure, print_json, print_line};
use crate::args::{Format, Secret as Command};
use crate::exit::Exit;
use crate::settings::Settings;
use crate::wiring;

pub(super) async fn secret(command: Command, settings: &Settings) -> Result<Exit, Failure> {
    let store = wiring::local_store(settings);
    // The store is files and a cipher: nothing to wait for beside it.
    tokio::task::block_in_place(|| match command {
        Command::Set { name } => {
            let value = read_value(&name)?;
            store.set(&name, &value)?;
            if !settings.quiet {
                anstream::eprintln!("stored `{name}` in {}", store.directory().display());
            }
            Ok(Exit::Ok)
        }
        Command::List { format } => {
            let names = store.list()?;
            match format {
                Format::Json => print_json(&names)?,
                Format::Human => names.iter().for_each(|name| print_line(name)),
            }
            Ok(Exit::Ok)
        }
        Command::Rm { name } => {
            if store.remove(&name)? {
                return Ok(Exit::Ok);
            }
            let names = store.list()?;
            let mut fault = Fault::new(Kind::NotFound, format!("there is no secret `{name}`"));
            if let Some(near) = closest(&name, names.iter().map(String::as_str)) {
                fault = fault.help(format!("did you mean `{near}`?"));
            }
            Err(fault.into())
        }
    })
}

/// The value from standard input: never from the command line, which other processes can see.
fn read_value(name: &str) -> Result<Secret, Failure> {
    let mut input = std::io::stdin();
    if input.is_terminal() {
        anstream::eprintln!(
            "value of `{name}`, then Ctrl-D (it is shown while you type; better: `windlass secret set {name} < FILE`):"
        );
    }
    let mut value = Vec::new();
    input.read_to_end(&mut value).map_err(|error| {
        Fault::new(Kind::Failed, "the value cannot be read from standard input").cause(error)
    })?;
    for end in [b'\n', b'\r'] {
        if value.last() == Some(&end) {
            value.pop();
        }
    }
    if value.is_empty() {
        let fault = Fault::new(Kind::Invalid, format!("the value of `{name}` is empty"));
        return Err(Failure::Usage(
            fault.help(format!("printf %s \"$VALUE\" | windlass secret set {name}")),
        ));
    }
    Ok(Secret::new(value))
}
