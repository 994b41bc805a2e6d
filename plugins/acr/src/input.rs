//! What people say of a build and of a task alike.

use std::collections::BTreeMap;
use std::time::Duration;

use windlass_plugin::{Error, Result};

use crate::build::{Argument, Value};

/// The times that Azure lets a run take, in seconds.
const TIMES: std::ops::RangeInclusive<u64> = 300..=28_800;

/// What is left of a step's time to say that Azure took too long.
const MARGIN: Duration = Duration::from_secs(5);

/// The arguments `open` and, as names of secrets, `sealed`; `secret` gives the handle of a secret.
///
/// # Errors
/// `invalid.inputs` for a name that is both, and those of `secret`.
pub fn arguments<S>(
    open: &BTreeMap<String, String>,
    sealed: &BTreeMap<String, String>,
    secret: impl Fn(&str) -> Result<S>,
) -> Result<Vec<Argument<S>>> {
    if let Some(name) = open.keys().find(|name| sealed.contains_key(*name)) {
        return Err(Error::invalid(format!("`{name}` is in `args` and in `secret-args`"))
            .hint("leave one of them away"));
    }
    let plain = open.iter().map(|(name, value)| {
        Ok(Argument { name: name.clone(), value: Value::Plain(value.clone()) })
    });
    let secrets = sealed
        .iter()
        .map(|(name, key)| Ok(Argument { name: name.clone(), value: Value::Secret(secret(key)?) }));
    plain.chain(secrets).collect()
}

/// `run-timeout`, in seconds.
///
/// # Errors
/// `invalid.inputs` for what is no time, and for what Azure does not allow.
pub fn run_timeout(text: Option<&str>) -> Result<Option<u64>> {
    let Some(text) = text else { return Ok(None) };
    let parsed = humantime::parse_duration(text).ok().map(|time| time.as_secs());
    match parsed.filter(|seconds| TIMES.contains(seconds)) {
        Some(seconds) => Ok(Some(seconds)),
        None => Err(Error::invalid(format!("`run-timeout` is `{text}`"))
            .hint("write a time from `5m` to `8h`")),
    }
}

/// How long a run is waited for by a step that has `left`: as long as a run may take where that is
/// not limited, and otherwise so that there is time to say that it took too long.
#[must_use]
pub fn patience(left: Option<Duration>) -> Duration {
    left.map_or(Duration::from_secs(*TIMES.end()), |left| left.saturating_sub(MARGIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn an_argument_is_open_or_sealed_and_not_both() {
        let secret = |name: &str| match name {
            "npm" => Ok("handle"),
            _ => Err(Error::invalid("no such secret")),
        };
        let found = arguments(&map(&[("A", "1")]), &map(&[("TOKEN", "npm")]), secret).unwrap();
        let argument = |name: &str, value| Argument { name: name.to_owned(), value };
        let expected = [
            argument("A", Value::Plain("1".to_owned())),
            argument("TOKEN", Value::Secret("handle")),
        ];
        assert_eq!(found, expected);
        let both = arguments(&map(&[("A", "1")]), &map(&[("A", "npm")]), secret).unwrap_err();
        assert!(both.message().contains("`A` is in `args`"), "{both}");
        assert!(arguments(&map(&[]), &map(&[("A", "none")]), secret).is_err());
    }

    #[test]
    fn a_run_takes_five_minutes_to_eight_hours() {
        assert_eq!(run_timeout(None).unwrap(), None);
        assert_eq!(run_timeout(Some("5m")).unwrap(), Some(300));
        assert_eq!(run_timeout(Some("8h")).unwrap(), Some(28_800));
        for text in ["", "4m 59s", "8h 1s", "an hour", "-5m"] {
            let error = run_timeout(Some(text)).unwrap_err();
            assert!(error.message().contains("run-timeout"), "{text}: {error}");
        }
    }

    #[test]
    fn there_is_time_left_to_say_so() {
        assert_eq!(patience(None), Duration::from_secs(8 * 3600));
        assert_eq!(patience(Some(Duration::from_secs(60))), Duration::from_secs(55));
        assert_eq!(patience(Some(Duration::from_secs(1))), Duration::ZERO);
    }
}
