//! `COPY` and `ADD`.

use super::args::Args;
use crate::diagnostic::Diagnostic;
use crate::heredoc::Heredoc;
use crate::instruction::{Add, Copy, PathSource, Paths};

pub(super) fn copy(
    mut args: Args<'_>,
    heredocs: &[Heredoc],
    problems: &mut Vec<Diagnostic>,
) -> Option<Copy> {
    let mut flags = args.take_flags(problems);
    let from = flags.value("from");
    let chown = flags.value("chown");
    let chmod = flags.value("chmod");
    let link = flags.boolean("link").unwrap_or_default();
    let parents = flags.boolean("parents").unwrap_or_default();
    let exclude = flags.values("exclude");
    flags.finish();
    let paths = paths(&args, heredocs, problems)?;
    let from = from.filter(|from| !from.text.is_empty());
    Some(Copy { from, chown, chmod, link, parents, exclude, paths })
}

pub(super) fn add(
    mut args: Args<'_>,
    heredocs: &[Heredoc],
    problems: &mut Vec<Diagnostic>,
) -> Option<Add> {
    let mut flags = args.take_flags(problems);
    let chown = flags.value("chown");
    let chmod = flags.value("chmod");
    let link = flags.boolean("link").unwrap_or_default();
    let exclude = flags.values("exclude");
    let checksum = flags.value("checksum");
    let keep_git_dir = flags.boolean("keep-git-dir");
    let unpack = flags.boolean("unpack");
    flags.finish();
    let paths = paths(&args, heredocs, problems)?;
    Some(Add { chown, chmod, link, exclude, checksum, keep_git_dir, unpack, paths })
}

fn paths(args: &Args<'_>, heredocs: &[Heredoc], problems: &mut Vec<Diagnostic>) -> Option<Paths> {
    let mut words = args.list(problems)?;
    let destination = words.pop().filter(|_| !words.is_empty());
    let Some(destination) = destination else {
        let help = format!("write `{} SOURCE DESTINATION`", args.name);
        problems.push(args.missing("destination").help(help));
        return None;
    };
    if Heredoc::open(&destination.text, destination.span).is_some() {
        let message = format!("destination of {} is a heredoc", args.name);
        let help = format!("write `{} {} DESTINATION`", args.name, destination.text);
        problems.push(Diagnostic::error(destination.span, message).help(help));
        return None;
    }
    let mut sources = Vec::new();
    for word in words {
        let Some(heredoc) = Heredoc::open(&word.text, word.span) else {
            sources.push(PathSource::Path(word));
            continue;
        };
        // Of two documents of one name the last one counts.
        let index = heredocs.iter().rposition(|read| read.name.text == heredoc.name.text);
        match index {
            Some(index) => sources.push(PathSource::Heredoc(index)),
            None => problems.push(
                Diagnostic::error(word.span, "heredoc is not read: a quote is not closed")
                    .help("close the quotes of this instruction"),
            ),
        }
    }
    Some(Paths { sources, destination })
}
