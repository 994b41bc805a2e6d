//! Build arguments: those that are always there, and those before the first `FROM`.

use super::{Options, Plan};
use crate::diagnostic::Diagnostic;
use crate::expand::Lexer;
use crate::file::Dockerfile;
use crate::instruction::Argument;
use crate::problem::unexpandable;
use crate::variables::Variables;

/// Arguments that are for the builder, and no variables of what is run.
pub(crate) const HIDDEN_ARGUMENTS: [&str; 2] =
    ["BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"];

/// Proxy settings are given to what is run without an `ARG`, in any case of letters.
const PROXIES: [&str; 5] = ["http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"];

pub(crate) fn is_proxy(name: &str) -> bool {
    PROXIES.contains(&name.to_ascii_lowercase().as_str())
}

/// Arguments of the platforms and of the target, each of which a build argument may override.
fn predefined(options: &Options) -> Variables {
    let (build, target) = (&options.build_platform, &options.target_platform);
    let stage = options.target.as_deref().filter(|target| !target.is_empty());
    let defaults = [
        ("BUILDPLATFORM", build.to_string()),
        ("BUILDOS", build.os.clone()),
        ("BUILDOSVERSION", String::new()),
        ("BUILDARCH", build.architecture.clone()),
        ("BUILDVARIANT", build.variant.clone()),
        ("TARGETPLATFORM", target.to_string()),
        ("TARGETOS", target.os.clone()),
        ("TARGETOSVERSION", String::new()),
        ("TARGETARCH", target.architecture.clone()),
        ("TARGETVARIANT", target.variant.clone()),
        ("TARGETSTAGE", stage.unwrap_or("default").to_owned()),
    ];
    let given = |(name, default)| (name, options.arg(name).map_or(default, str::to_owned));
    defaults.into_iter().map(given).collect()
}

impl Options {
    /// The build argument of this name.
    pub(crate) fn arg(&self, name: &str) -> Option<&str> {
        let named = self.args.iter().rev().find(|(key, _)| key == name);
        named.map(|(_, value)| value.as_str())
    }
}

/// The arguments that `FROM` may use.
pub(super) fn globals(
    file: &Dockerfile,
    options: &Options,
    problems: &mut Vec<Diagnostic>,
) -> Variables {
    evaluate(file, predefined(options), |name| options.arg(name), problems)
}

/// The same, had no build argument been given but for those of the platforms.
pub(super) fn defaults(file: &Dockerfile, options: &Options) -> Option<Variables> {
    let mut problems = Vec::new();
    let found = evaluate(file, predefined(options), |_| None, &mut problems);
    problems.is_empty().then_some(found)
}

fn evaluate<'a>(
    file: &Dockerfile,
    mut variables: Variables,
    given: impl Fn(&str) -> Option<&'a str>,
    problems: &mut Vec<Diagnostic>,
) -> Variables {
    let lexer = Lexer::new(file.directives.escape);
    for argument in declared(file) {
        let name = argument.name.text.as_str();
        match (given(name), &argument.default) {
            (Some(value), _) => variables.set(name, value),
            (None, Some(default)) => match lexer.expand(&default.text, &variables) {
                Ok(value) => variables.set(name, value.text),
                Err(error) => problems.push(unexpandable(default, error)),
            },
            (None, None) => {}
        }
    }
    variables
}

/// Arguments before the first `FROM`.
pub(super) fn declared(file: &Dockerfile) -> impl Iterator<Item = &Argument> {
    file.global_args.iter().flat_map(|instruction| instruction.command.arguments())
}

impl Plan {
    /// Build arguments that no `ARG` of this build asks for: probably misspelt. Those that are
    /// always there are not among them.
    pub fn unused_args(&self) -> Vec<&str> {
        let predefined = predefined(&self.options);
        let in_stages = self.order().iter().flat_map(|stage| self.instructions(*stage));
        let of_stages = in_stages.flat_map(|instruction| instruction.command.arguments());
        let asked: Vec<&str> = declared(&self.file)
            .chain(of_stages)
            .map(|argument| argument.name.text.as_str())
            .collect();
        let is_known = |name: &str| {
            asked.contains(&name)
                || predefined.get(name).is_some()
                || is_proxy(name)
                || name == "SOURCE_DATE_EPOCH"
                || name.starts_with("BUILDKIT_")
        };
        let mut unused: Vec<&str> =
            self.options.args.iter().map(|(name, _)| name.as_str()).collect();
        unused.retain(|name| !is_known(name));
        unused.dedup();
        unused
    }
}
