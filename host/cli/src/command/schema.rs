//! `windlass schema`: what editors check pipeline files against.

use super::{Failure, load, print_json};
use crate::args::Schema;
use crate::exit::Exit;
use crate::settings::Settings;

pub(super) async fn schema(arguments: Schema, settings: &Settings) -> Result<Exit, Failure> {
    let schema = pipeline::json_schema();
    let Some(file) = arguments.file else {
        print_json(&schema)?;
        return Ok(Exit::Ok);
    };
    let loaded = load::load(&file, settings).await?;
    let plugins = loaded.plugins.inputs_schemas();
    let plugins: Vec<_> = plugins.iter().map(|(uses, inputs)| (uses.as_str(), inputs)).collect();
    print_json(&pipeline::merge_plugins(schema, &plugins))?;
    Ok(Exit::Ok)
}
