//! What each instruction says.

use super::args::{Args, refused_trigger};
use super::{copy, healthcheck, pairs, run};
use crate::diagnostic::Diagnostic;
use crate::heredoc::Heredoc;
use crate::instruction::{Command, From, Onbuild};
use crate::json::Json;
use crate::word::Word;

type Problems = Vec<Diagnostic>;

/// Reads an instruction by its name; nothing if it is wrong, which is then in `problems`.
pub(super) fn read(
    name: &str,
    mut args: Args<'_>,
    heredocs: &[Heredoc],
    problems: &mut Problems,
) -> Option<Command> {
    match name {
        "ADD" => copy::add(args, heredocs, problems).map(Command::Add),
        "COPY" => copy::copy(args, heredocs, problems).map(Command::Copy),
        "FROM" => from(args, problems).map(Command::From),
        "HEALTHCHECK" => healthcheck::read(args, problems).map(Command::Healthcheck),
        "ONBUILD" => onbuild(args, heredocs, problems).map(Command::Onbuild),
        "RUN" => run::read(args, problems).map(Command::Run),
        _ => {
            args.no_flags(problems);
            simple(name, &args, problems)
        }
    }
}

/// The instructions without flags.
fn simple(name: &str, args: &Args<'_>, problems: &mut Problems) -> Option<Command> {
    match name {
        "ARG" => pairs::arguments(args, problems).map(Command::Arg),
        "ENV" => pairs::pairs(args, problems).map(Command::Env),
        "LABEL" => pairs::pairs(args, problems).map(Command::Label),
        "CMD" => args.command_line(problems).map(Command::Cmd),
        "ENTRYPOINT" => args.command_line(problems).map(Command::Entrypoint),
        "EXPOSE" => {
            args.needed("port", problems)?;
            Some(Command::Expose(args.words()))
        }
        "MAINTAINER" => args.needed("name", problems).map(Command::Maintainer),
        "STOPSIGNAL" => args.needed("signal", problems).map(Command::StopSignal),
        "USER" => args.needed("user", problems).map(Command::User),
        "WORKDIR" => args.needed("path", problems).map(Command::Workdir),
        "SHELL" => shell(args, problems).map(Command::Shell),
        _ => volume(args, problems).map(Command::Volume),
    }
}

fn shell(args: &Args<'_>, problems: &mut Problems) -> Option<Vec<Word>> {
    args.needed("shell", problems)?;
    let words = args.list(problems)?;
    let is_json = matches!(args.json(), Json::Strings(_));
    if !is_json {
        let quoted: Vec<String> = words.iter().map(|word| format!("{:?}", word.text)).collect();
        let help = format!("write `SHELL [{}]`", quoted.join(", "));
        let span = args.whole().span;
        problems.push(Diagnostic::error(span, "SHELL is not a JSON array").help(help));
        return None;
    }
    if words.is_empty() {
        problems.push(args.missing("shell").help("write `SHELL [\"/bin/sh\", \"-c\"]`"));
        return None;
    }
    Some(words)
}

fn volume(args: &Args<'_>, problems: &mut Problems) -> Option<Vec<Word>> {
    let mut words = args.list(problems)?;
    if words.is_empty() {
        problems.push(args.missing("path"));
        return None;
    }
    for word in &mut words {
        word.text = word.text.trim().to_owned();
        if word.text.is_empty() {
            problems.push(Diagnostic::error(word.span, "volume is an empty path"));
        }
    }
    Some(words)
}

fn from(mut args: Args<'_>, problems: &mut Problems) -> Option<From> {
    let mut flags = args.take_flags(problems);
    let platform = flags.value("platform");
    flags.finish();
    let mut words = args.words().into_iter();
    let (base, as_keyword, name) = (words.next(), words.next(), words.next());
    let help = "write `FROM image` or `FROM image AS name`";
    let Some(base) = base else {
        problems.push(args.missing("base image").help(help));
        return None;
    };
    let is_as = as_keyword.as_ref().is_none_or(|word| word.text.eq_ignore_ascii_case("as"));
    if let Some(extra) = words.next().or_else(|| as_keyword.clone().filter(|_| !is_as)) {
        let message = format!("`{}` is too much for FROM", extra.text);
        problems.push(Diagnostic::error(extra.span, message).help(help));
        return None;
    }
    if let (Some(keyword), None) = (&as_keyword, &name) {
        problems.push(Diagnostic::error(keyword.span, "stage has no name").help(help));
        return None;
    }
    if let Some(name) = name.as_ref().filter(|name| !is_stage_name(&name.text)) {
        let message = format!("`{}` cannot be the name of a stage", name.text);
        problems.push(
            Diagnostic::error(name.span, message)
                .help("begin with a letter, and go on with letters, digits, `-`, `_` and `.`"),
        );
    }
    Some(From { platform, base, as_keyword, name })
}

fn is_stage_name(name: &str) -> bool {
    let name = name.to_lowercase();
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c))
}

fn onbuild(mut args: Args<'_>, heredocs: &[Heredoc], problems: &mut Problems) -> Option<Onbuild> {
    args.no_flags(problems);
    args.needed("instruction", problems)?;
    let inner = Args::split(args.line, args.start, args.escape);
    if let Some(message) = refused_trigger(&inner.keyword.text) {
        problems.push(Diagnostic::error(inner.keyword.span, message));
        return None;
    }
    let mut expression = args.line.text.get(args.start..).unwrap_or_default().to_owned();
    for heredoc in heredocs {
        expression.push('\n');
        expression.push_str(&heredoc.content);
        expression.push_str(&heredoc.name.text);
    }
    let trigger = inner.instruction(heredocs, problems)?;
    Some(Onbuild { expression, trigger: Box::new(trigger) })
}
