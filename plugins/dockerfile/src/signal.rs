//! Signals that `STOPSIGNAL` may name.

const NAMES: [&str; 36] = [
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL",
    "PIPE", "POLL", "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP",
    "TTIN", "TTOU", "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN", "RTMAX",
];

/// Whether `text` is a signal of Linux: a number, or a name with or without `SIG`.
pub(crate) fn is_signal(text: &str) -> bool {
    if let Ok(number) = text.parse::<i32>() {
        return number != 0;
    }
    let name = text.to_ascii_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    let beyond = |prefix: &str, highest: u8| {
        let number = name.strip_prefix(prefix).filter(|number| !number.starts_with('+'));
        number.and_then(|number| number.parse().ok()).is_some_and(|n| (1..=highest).contains(&n))
    };
    NAMES.contains(&name) || beyond("RTMIN+", 15) || beyond("RTMAX-", 14)
}

/// The signal that was probably meant.
pub(crate) fn near(text: &str) -> Option<String> {
    let name = text.to_ascii_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    crate::suggest::closest(name, NAMES).map(|name| format!("SIG{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_numbers_or_names() {
        for text in ["9", "SIGTERM", "term", "SIGRTMIN+3", "RTMAX-14", "rtmax"] {
            assert!(is_signal(text), "{text}");
        }
        for text in ["", "0", "SIG", "SIGTREM", "RTMIN+16", "RTMIN+0", "RTMIN++1", "RTMAX-15"] {
            assert!(!is_signal(text), "{text}");
        }
        assert_eq!(near("SIGTREM").as_deref(), Some("SIGTERM"));
    }
}
