//! `windlass build`: what a build would be given.

use std::path::PathBuf;

use report::{Fault, plural};
use serde_json::json;

use super::{Failure, print_json, print_line};
use crate::args::{BuildContext, Format};
use crate::exit::Exit;

pub(super) async fn context(arguments: BuildContext) -> Result<Exit, Failure> {
    let BuildContext { directory, file, ignored, output, format } = arguments;
    if let Some(archive) = output {
        return pack(directory, file, archive, format).await;
    }
    let listed = tokio::task::spawn_blocking(move || capability::list_context(&directory, &file));
    let listed = listed.await.map_err(broken)??;
    match format {
        Format::Json => print_json(&json!({
            "ignore-file": listed.ignore_file,
            "files": listed.sent.iter().map(|file| json!({
                "path": file.path, "kind": file.kind, "bytes": file.size,
            })).collect::<Vec<_>>(),
            "ignored": listed.ignored.iter().map(|file| json!({
                "path": file.path, "line": file.line, "pattern": file.pattern,
            })).collect::<Vec<_>>(),
        }))?,
        Format::Human if ignored => {
            let name = listed.ignore_file.as_deref().unwrap_or_default();
            for file in &listed.ignored {
                print_line(&format!("{}  {name}:{}: {}", file.path, file.line, file.pattern));
            }
        }
        Format::Human => {
            for file in &listed.sent {
                print_line(&format!("{:>10}  {}", file.size, file.path));
            }
            let total: u64 = listed.sent.iter().map(|file| file.size).sum();
            let size = indicatif::HumanBytes(total);
            let left_out = plural(listed.ignored.len(), "path");
            anstream::eprintln!(
                "{}, {size}; {left_out} left out{}",
                plural(listed.sent.len(), "entry"),
                listed.ignore_file.map(|name| format!(" by {name}")).unwrap_or_default()
            );
        }
    }
    Ok(Exit::Ok)
}

/// `--output`
async fn pack(
    directory: PathBuf,
    file: String,
    archive: PathBuf,
    format: Format,
) -> Result<Exit, Failure> {
    let path = archive.display().to_string();
    let packed =
        tokio::task::spawn_blocking(move || capability::pack_context(&directory, &file, &archive));
    let (digest, size) = packed.await.map_err(broken)??;
    match format {
        Format::Json => {
            print_json(&json!({ "archive": path, "digest": digest.to_string(), "bytes": size }))?;
        }
        Format::Human => {
            anstream::eprintln!("packed {} into `{path}`", indicatif::HumanBytes(size));
            print_line(&digest.to_string());
        }
    }
    Ok(Exit::Ok)
}

fn broken(error: tokio::task::JoinError) -> Fault {
    Fault::new(report::Kind::Internal, "a thread of ours broke").cause(error)
}
