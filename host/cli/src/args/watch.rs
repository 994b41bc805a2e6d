//! `windlass watch` and `windlass triggers`, as people type them.

use std::path::PathBuf;

use clap::Args;

use super::{Format, How, name_and_value};

#[derive(Args, Debug)]
pub(crate) struct Watch {
    /// The pipeline files
    #[arg(required = true, value_name = "PIPELINE")]
    pub(crate) files: Vec<PathBuf>,
    /// Look once, run what there is to run, and end
    #[arg(long)]
    pub(crate) once: bool,
    /// With --once: exit with 10 if something had come
    #[arg(long, requires = "once")]
    pub(crate) detailed_exitcode: bool,
    /// Hear webhooks at this address, such as 127.0.0.1:8300
    #[arg(long, value_name = "ADDRESS", conflicts_with = "once")]
    pub(crate) listen: Option<String>,
    /// Set an input of the runs; may be repeated
    #[arg(long = "input", short = 'i', value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(crate) inputs: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) how: How,
}

#[derive(Args, Debug)]
pub(crate) struct Triggers {
    /// Only those of these pipeline files; all that were ever watched without any
    #[arg(value_name = "PIPELINE")]
    pub(crate) files: Vec<PathBuf>,
    /// How results are written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}
