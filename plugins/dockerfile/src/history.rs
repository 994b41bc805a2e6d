//! `created_by` of an image's history, letter for letter as BuildKit writes it.

use std::fmt::Write as _;

use crate::config::Healthcheck;
use crate::duration;

/// `NAME a=b c=d`
pub(crate) fn pairs(name: &str, pairs: &[(String, String)]) -> String {
    let said: Vec<String> = pairs.iter().map(|(key, value)| format!(" {key}={value}")).collect();
    format!("{name}{}", said.concat())
}

/// `ARG a=b c`
pub(crate) fn arguments(arguments: &[(String, Option<String>)]) -> String {
    let said = arguments.iter().map(|(name, value)| match value {
        Some(value) => format!(" {name}={value}"),
        None => format!(" {name}"),
    });
    format!("ARG{}", said.collect::<String>())
}

/// `NAME [a b]`, as Go's `%v` has it.
pub(crate) fn list(name: &str, values: &[String]) -> String {
    format!("{name} [{}]", values.join(" "))
}

/// `NAME ["a" "b"]`, as Go's `%q` has it.
pub(crate) fn quoted(name: &str, values: &[String]) -> String {
    let values: Vec<String> = values.iter().map(|value| quote(value)).collect();
    format!("{name} [{}]", values.join(" "))
}

/// `RUN |2 A=b C=d /bin/sh -c echo # buildkit`
pub(crate) fn run(argv: &[String], args: &[(String, String)]) -> String {
    let mut text = "RUN ".to_owned();
    if !args.is_empty() {
        // Writing to a string cannot fail.
        let _ = write!(text, "|{} ", args.len());
        for (name, value) in args {
            let _ = write!(text, "{name}={value} ");
        }
    }
    format!("{text}{} # buildkit", argv.join(" "))
}

/// `HEALTHCHECK {Test:[CMD-SHELL true] Interval:30s ...}`, as Go's `%+v` has it.
pub(crate) fn healthcheck(check: &Healthcheck) -> String {
    let options = &check.options;
    format!(
        "HEALTHCHECK {{Test:[{}] Interval:{} Timeout:{} StartPeriod:{} StartInterval:{} Retries:{}}}",
        check.test.join(" "),
        duration::format(options.interval),
        duration::format(options.timeout),
        duration::format(options.start_period),
        duration::format(options.start_interval),
        options.retries,
    )
}

/// A string as Go's `strconv.Quote` has it.
fn quote(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{b}' => quoted.push_str("\\v"),
            // Writing to a string cannot fail.
            '\0'..='\u{1f}' | '\u{7f}' => _ = write!(quoted, "\\x{:02x}", u32::from(c)),
            '\u{80}'..='\u{a0}' | '\u{ad}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => {
                _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_quoted_as_go_quotes_them() {
        let strings = ["a\"b\\c".to_owned(), "\0\u{7}\n\t\u{7f}é\u{a0}".to_owned()];
        assert_eq!(quoted("CMD", &strings), r#"CMD ["a\"b\\c" "\x00\a\n\t\x7fé\u00a0"]"#);
    }
}
