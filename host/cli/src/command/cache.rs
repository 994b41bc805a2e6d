//! `windlass cache`: what builds have left on this machine.

use report::Fault;
use serde_json::json;

use super::{Failure, print_json, print_line};
use crate::args::{Cache, Format};
use crate::exit::Exit;
use crate::settings::Settings;
use crate::wiring;

pub(super) async fn cache(arguments: Cache, settings: &Settings) -> Result<Exit, Failure> {
    let engine = wiring::build_engine(settings);
    let prune = arguments.prune.then(|| capability::Prune {
        older_than: arguments.older_than.map(|age| age.as_secs()),
        keep_bytes: arguments.keep,
        all: arguments.older_than.is_none() && arguments.keep.is_none(),
    });
    let usages = match &prune {
        Some(prune) => engine.prune(prune.clone()).await,
        None => engine.usage().await,
    }
    .map_err(Fault::from)?;
    let total: u64 = usages.iter().map(|usage| usage.bytes).sum();
    match arguments.format {
        Format::Json => {
            let kinds: Vec<_> = usages
                .iter()
                .map(|usage| {
                    json!({
                        "kind": usage.kind.as_str(),
                        "count": usage.count,
                        "bytes": usage.bytes,
                        "last-used": usage.last_used,
                    })
                })
                .collect();
            let key = if prune.is_some() { "removed" } else { "kept" };
            print_json(&json!({ "path": engine.root(), key: kinds, "bytes": total }))?;
        }
        Format::Human => {
            for usage in &usages {
                let count = usage.count;
                let size = indicatif::HumanBytes(usage.bytes);
                print_line(&format!("{:<10} {count:>8}  {size}", usage.kind.as_str()));
            }
            let what = if prune.is_some() { "removed" } else { "in" };
            let place = engine.root().display();
            print_line(&match prune.is_some() {
                true => format!("{what} {} from {place}", indicatif::HumanBytes(total)),
                false => format!("{} {what} {place}", indicatif::HumanBytes(total)),
            });
        }
    }
    Ok(Exit::Ok)
}
