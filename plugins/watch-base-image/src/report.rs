//! What a person reads.

use std::time::{Duration, UNIX_EPOCH};

use images::Stand;
use windlass_plugin::Error;

use crate::outputs::{Image, Outputs};
use crate::target::Failure;

/// Of a digest, as many characters as other tools show.
const SHORT_DIGEST: usize = "sha256:".len() + 12;

/// Failures that one error tells of; the rest have a line in the log each.
pub const MOST_TOLD: usize = 10;

/// A moment in milliseconds since 1970, as RFC 3339 in UTC.
#[must_use]
pub fn moment(millis: u64) -> String {
    // What is beyond the year 9999 has no such text; a person who settles so long waits for ever.
    const LATEST: u64 = 253_402_300_799_000;
    let time = UNIX_EPOCH + Duration::from_millis(millis.min(LATEST));
    humantime::format_rfc3339_millis(time).to_string()
}

/// Where an image stands, if that is worth a line.
#[must_use]
pub fn stand(image: &str, digest: &str, stand: &Stand) -> Option<String> {
    Some(match stand {
        Stand::Unchanged | Stand::Changed(_) => return None,
        Stand::Armed => format!("`{image}` is watched from now on ({digest})"),
        Stand::Settling { until } => {
            format!("`{image}` has changed, and is reported at {} if it stays", moment(*until))
        }
        Stand::Waiting(platforms) => {
            format!("`{image}` has moved, and has no image for {} yet", platforms.join(" and "))
        }
    })
}

/// A change.
#[must_use]
pub fn changed(image: &Image) -> String {
    let name = &image.image;
    let platform = image.platform.as_ref().map(|it| format!(" for {it}")).unwrap_or_default();
    let new = short(&image.new);
    match (&image.old, &image.old_tag) {
        (Some(_), Some(tag)) => format!("`{name}`{platform} is newer than `{tag}` ({new})"),
        (Some(old), None) => format!("`{name}`{platform} has changed from {} to {new}", short(old)),
        (None, _) => format!("`{name}`{platform} is new ({new})"),
    }
}

/// What could not be checked.
#[must_use]
pub fn failed(failure: &Failure) -> String {
    let hint = failure.error.hint_text().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("`{}`: {}{hint}", failure.image, failure.error.message())
}

/// One error for all that could not be checked: what the one has, or what all have in common.
#[must_use]
pub fn error(failures: &[Failure], all: usize) -> Option<Error> {
    let first = failures.first()?;
    if let [one] = failures {
        return Some(one.error.clone().during(format!("check `{}`", one.image)));
    }
    let is_same = failures.iter().all(|failure| failure.error.code() == first.error.code());
    let is_retryable = failures.iter().all(|failure| failure.error.is_retryable());
    let code = match (is_same, is_retryable) {
        (true, _) => first.error.code(),
        (false, true) => "transient.images",
        (false, false) => "failed.images",
    };
    let told: Vec<String> = failures.iter().take(MOST_TOLD).map(failed).collect();
    let more = failures.len().saturating_sub(MOST_TOLD);
    let more = if more > 0 { format!("\nand {more} more, in the log") } else { String::new() };
    let error = Error::new(
        code,
        format!(
            "{} of {} could not be checked\n{}{more}",
            failures.len(),
            plural(all, "image"),
            told.join("\n")
        ),
    );
    Some(if is_retryable { error.retryable() } else { error })
}

/// All of it in one line.
#[must_use]
pub fn summary(outputs: &Outputs, watched: usize, changed: usize, settling: usize) -> String {
    let mut parts = Vec::new();
    if outputs.changed {
        parts.push(format!("{changed} of {} changed", plural(watched, "image")));
    }
    if settling > 0 {
        parts.push(format!("{settling} settling"));
    }
    if !outputs.failed.is_empty() {
        parts.push(format!("{} not checked", outputs.failed.len()));
    }
    match parts.is_empty() {
        true => format!("{} unchanged", plural(watched, "image")),
        false => parts.join(", "),
    }
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}

fn short(digest: &str) -> &str {
    digest.get(..SHORT_DIGEST).unwrap_or(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(image: &str, code: &str) -> Failure {
        Failure { image: image.to_owned(), error: Error::new(code, "no") }
    }

    #[test]
    fn one_failure_is_told_as_it_is_and_several_as_one() {
        let a = failure("a", "oci.unauthorized");
        assert_eq!(error(std::slice::from_ref(&a), 3).unwrap().message(), "check `a`: no");
        let both = error(&[a.clone(), failure("b", "oci.unauthorized")], 3).unwrap();
        assert_eq!(both.code(), "oci.unauthorized");
        assert_eq!(both.message(), "2 of 3 images could not be checked\n`a`: no\n`b`: no");
        assert_eq!(error(&[a, failure("b", "oci.mismatch")], 3).unwrap().code(), "failed.images");
        assert_eq!(error(&[], 3), None);
    }

    #[test]
    fn what_is_worth_a_retry_stays_so_if_all_of_it_is() {
        let mut failures = vec![failure("a", "oci.transient"), failure("b", "timeout.oci")];
        assert!(!error(&failures, 2).unwrap().is_retryable());
        for failure in &mut failures {
            failure.error = failure.error.clone().retryable();
        }
        let both = error(&failures, 2).unwrap();
        assert!(both.is_retryable() && both.is("transient"));
    }

    #[test]
    fn moments_are_utc() {
        assert_eq!(moment(1_537_225_642_250), "2018-09-17T23:07:22.250Z");
        assert_eq!(moment(u64::MAX), "9999-12-31T23:59:59.000Z");
    }
}
