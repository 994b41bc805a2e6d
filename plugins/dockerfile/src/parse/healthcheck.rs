//! `HEALTHCHECK`.

use super::args::Args;
use crate::diagnostic::Diagnostic;
use crate::duration;
use crate::instruction::{CommandLine, HealthcheckLine, HealthcheckOptions};
use crate::word::Word;

pub(super) fn read(mut args: Args<'_>, problems: &mut Vec<Diagnostic>) -> Option<HealthcheckLine> {
    let mut flags = args.take_flags(problems);
    let durations = ["interval", "timeout", "start-period", "start-interval"]
        .map(|name| (name, flags.value(name)));
    let retries = flags.value("retries");
    flags.finish();
    let [interval, timeout, start_period, start_interval] =
        durations.map(|(name, value)| value.map_or(0, |value| nanoseconds(name, &value, problems)));
    let retries = retries.map_or(0, |value| count(&value, problems));
    let options = HealthcheckOptions { interval, timeout, start_period, start_interval, retries };

    let kind = args.needed("command", problems)?;
    let length = kind.text.find(char::is_whitespace).unwrap_or(kind.text.len());
    let kind = args.line.word(args.start, args.start + length);
    let rest = args.line.text.get(args.start + length..args.end).unwrap_or_default();
    args.start = args.end - rest.trim_start().len();
    let is_empty = args.start == args.end;
    match kind.text.to_ascii_uppercase().as_str() {
        "NONE" if is_empty => Some(HealthcheckLine::None),
        "NONE" => {
            let message = "HEALTHCHECK NONE takes no arguments";
            problems.push(Diagnostic::error(args.whole().span, message).help("remove them"));
            None
        }
        "CMD" => {
            let command = args.command_line(problems)?;
            let is_empty =
                is_empty || matches!(&command, CommandLine::Exec(words) if words.is_empty());
            if is_empty {
                let help = "write `HEALTHCHECK CMD command`, or `HEALTHCHECK NONE`";
                problems.push(args.missing("command").help(help));
                return None;
            }
            Some(HealthcheckLine::Check { command, options })
        }
        _ => {
            let message = format!("HEALTHCHECK is `{}`, expected CMD or NONE", kind.text);
            problems.push(Diagnostic::error(kind.span, message).help("write `CMD` before it"));
            None
        }
    }
}

/// 1 ms: less is refused, but for 0, which is "not said".
const SHORTEST: i64 = 1_000_000;

fn nanoseconds(name: &str, value: &Word, problems: &mut Vec<Diagnostic>) -> i64 {
    if value.text.is_empty() {
        return 0;
    }
    match duration::parse(&value.text) {
        Some(found) if found == 0 || found >= SHORTEST => found,
        Some(_) => {
            let message = format!("`--{name}` is less than 1ms");
            problems.push(Diagnostic::error(value.span, message));
            0
        }
        None => {
            let message =
                format!("`--{name}` is `{}`, expected a duration such as `30s`", value.text);
            let help = value.text.parse::<u64>().map(|n| format!("write `--{name}={n}s`"));
            let problem = Diagnostic::error(value.span, message);
            problems.push(match help {
                Ok(help) => problem.help(help),
                Err(_) => problem,
            });
            0
        }
    }
}

fn count(value: &Word, problems: &mut Vec<Diagnostic>) -> u32 {
    let text = value.text.as_str();
    let found = text.parse::<i32>().ok().and_then(|n| u32::try_from(n).ok());
    if found.is_none() && !text.is_empty() {
        let message = format!("`--retries` is `{text}`, expected a number from 0 up");
        problems.push(Diagnostic::error(value.span, message));
    }
    found.unwrap_or_default()
}
