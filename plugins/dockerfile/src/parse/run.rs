//! `RUN`.

use super::args::Args;
use crate::diagnostic::Diagnostic;
use crate::expand::Lexer;
use crate::flag::{Flag, boolean};
use crate::instruction::{Device, Network, Run, Security};
use crate::line::Line;
use crate::mount::MountFlag;
use crate::suggest::closest;
use crate::variables::Variables;
use crate::word::Word;

const NETWORKS: [(&str, Network); 3] =
    [("default", Network::Default), ("none", Network::None), ("host", Network::Host)];

const SECURITIES: [(&str, Security); 2] =
    [("sandbox", Security::Sandbox), ("insecure", Security::Insecure)];

pub(super) fn read(mut args: Args<'_>, problems: &mut Vec<Diagnostic>) -> Option<Run> {
    let (line, escape) = (args.line, args.escape);
    let mut flags = args.take_flags(problems);
    let mounts = flags.all("mount");
    let mounts: Vec<(Flag, Option<Word>)> =
        mounts.into_iter().map(|flag| (flag.clone(), flags.needs_value(&flag))).collect();
    let network = flags.value("network");
    let security = flags.value("security");
    let devices = flags.values("device");
    flags.finish();
    let network = choice("network", network, &NETWORKS, problems);
    let security = choice("security", security, &SECURITIES, problems);
    let mounts = mounts.iter().filter_map(|(flag, value)| {
        let found = mount(flag, value.clone()?, line, escape);
        found.map_err(|problem| problems.push(problem)).ok()
    });
    let mounts = mounts.collect();
    let devices = devices.iter().filter_map(|word| device(word, problems)).collect();
    let command = args.command_line(problems)?;
    Some(Run { mounts, network, security, devices, command })
}

fn choice<T: Copy + Default>(
    name: &str,
    value: Option<Word>,
    known: &[(&'static str, T)],
    problems: &mut Vec<Diagnostic>,
) -> T {
    let Some(value) = value else { return T::default() };
    if let Some((_, found)) = known.iter().find(|(word, _)| *word == value.text) {
        return *found;
    }
    let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
    let message = format!("`--{name}` is `{}`, expected {}", value.text, words.join(" or "));
    let near = closest(&value.text, words);
    problems.push(Diagnostic::error(value.span, message).did_you_mean(near));
    T::default()
}

/// What needs no variables is checked at once.
fn mount(flag: &Flag, value: Word, line: &Line, escape: char) -> Result<MountFlag, Diagnostic> {
    let mount = MountFlag::parse(flag, value, line)?;
    if mount.is_constant() {
        let lexer = Lexer::new(escape);
        mount.evaluate(&mut |word| {
            let found = lexer.expand(&word.text, &Variables::default());
            found
                .map(|found| found.text)
                .map_err(|error| Diagnostic::error(word.span, error.message))
        })?;
    }
    Ok(mount)
}

fn device(word: &Word, problems: &mut Vec<Diagnostic>) -> Option<Device> {
    let mut name: Option<String> = None;
    let mut required = false;
    for field in word.text.split(',') {
        let (key, value) = field.split_once('=').map_or((field, None), |(k, v)| (k, Some(v)));
        match (key.to_ascii_lowercase().as_str(), value) {
            ("required", None) => required = true,
            ("required", Some(value)) if boolean(value).is_some() => {
                required = boolean(value).unwrap_or_default();
            }
            ("name", Some(value)) if name.is_none() => name = Some(value.to_owned()),
            (key, _) if name.is_none() && key != "required" => name = Some(field.to_owned()),
            _ => {
                let message = format!("`{field}` is no option of a device");
                let help = "write `--device=NAME,required`";
                problems.push(Diagnostic::error(word.span, message).help(help));
                return None;
            }
        }
    }
    Some(Device { name: name.unwrap_or_default(), required })
}
