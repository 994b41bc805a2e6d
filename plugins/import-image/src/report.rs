//! What a person reads: a line for each target, and one for all.

use windlass_plugin::Error;
use windlass_plugin::oci::{Copied, Forecast};

use crate::import::Order;
use crate::inputs::Mode;
use crate::outputs::Outputs;

/// Of a digest, as many characters as other tools show.
const SHORT_DIGEST: usize = "sha256:".len() + 12;

/// What became of one target.
#[must_use]
pub fn copied(order: &Order, copied: &Copied) -> String {
    let (source, target, digest) = (&order.source, order.reference(), &copied.descriptor.digest);
    let other = other_digest(&copied.source_digest, digest);
    if !copied.is_changed {
        return format!("`{target}` is up to date with `{source}` ({digest}{other})");
    }
    let referrers = match copied.referrers {
        0 => String::new(),
        count => format!("; with {}", plural(count, "referrer")),
    };
    format!(
        "copied `{source}` to `{target}` ({digest}{other}): {} sent ({}), {} mounted, {} there already{referrers}",
        copied.sent,
        size(copied.sent_bytes),
        copied.mounted,
        copied.skipped,
    )
}

/// What would become of one target.
#[must_use]
pub fn forecast(order: &Order, forecast: &Forecast) -> String {
    let (source, target, digest) = (&order.source, order.reference(), &forecast.descriptor.digest);
    let other = other_digest(&forecast.source_digest, digest);
    if !forecast.is_changed {
        let what = if other.is_empty() { "has the same digest as" } else { "is up to date with" };
        return format!("`{target}` {what} `{source}` ({digest}{other})");
    }
    let mut parts = Vec::new();
    if forecast.is_present {
        parts.push("it exists there under its digest".to_owned());
    }
    // For a tag alone manifests are sent again, which is hardly worth a number.
    if !forecast.is_present || forecast.referrers > 0 {
        parts.push(format!("{} to send", size(forecast.send_bytes)));
    }
    if forecast.mount > 0 {
        parts.push(format!("{} to mount ({})", forecast.mount, size(forecast.mount_bytes)));
    }
    if forecast.skip > 0 && !forecast.is_present {
        parts.push(format!("{} there already", forecast.skip));
    }
    if forecast.referrers > 0 {
        parts.push(format!("with {}", plural(forecast.referrers, "referrer")));
    }
    for moved in &forecast.moves {
        parts.push(match &moved.from {
            Some(from) => {
                format!("moves tag `{}` from {} to {}", moved.tag, short(from), short(digest))
            }
            None => format!("new tag `{}`", moved.tag),
        });
    }
    format!("would copy `{source}` to `{target}` ({digest}{other}): {}", parts.join(", "))
}

/// Why one target stays as it is.
#[must_use]
pub fn failed(order: &Order, error: &Error) -> String {
    let why = match error.is("unauthorized") {
        true => "no credentials: ",
        false => "",
    };
    let hint = error.hint_text().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("{}: {why}{}{hint}", order.during(), error.message())
}

/// What became of all of them, in one line.
#[must_use]
pub fn summary(outputs: &Outputs, all: usize, changed: usize, is_dry_run: bool) -> String {
    match (changed, is_dry_run) {
        (0, _) => "up to date".to_owned(),
        (changed, true) if outputs.mode == Mode::Server => {
            format!("{changed} of {} would be imported by Azure", count(all))
        }
        (changed, false) if outputs.mode == Mode::Server => {
            format!("Azure imported {changed} of {}", count(all))
        }
        (changed, true) => {
            let mounted = also(outputs.mounted_bytes, "to mount");
            let bytes = size(outputs.bytes);
            format!("{changed} of {} would be copied, {bytes} to send{mounted}", count(all))
        }
        (changed, false) => {
            let mounted = also(outputs.mounted_bytes, "mounted");
            format!("copied {changed} of {}, {} sent{mounted}", count(all), size(outputs.bytes))
        }
    }
}

fn also(bytes: u64, word: &str) -> String {
    if bytes == 0 { String::new() } else { format!(", {} {word}", size(bytes)) }
}

/// `1 image`, `3 images`.
#[must_use]
pub fn count(images: usize) -> String {
    plural(images as u64, "image")
}

/// Says that the digest is another one than that of the source, where it is.
fn other_digest(source: &str, digest: &str) -> String {
    match source == digest {
        true => String::new(),
        false => format!("; not {} as in the source, since platforms are left out", short(source)),
    }
}

fn plural(count: u64, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}

fn short(digest: &str) -> &str {
    digest.get(..SHORT_DIGEST).unwrap_or(digest)
}

/// Bytes for a person, as the host says them: one digit behind the point, and a binary unit.
#[must_use]
pub fn size(bytes: u64) -> String {
    /// From one unit to the next.
    const STEP: u64 = 1024;
    /// A number that is rounded to this much has reached the next unit.
    const FULL: u128 = STEP as u128 * 10;
    if bytes < STEP {
        return format!("{bytes} B");
    }
    let mut divisor = u128::from(STEP);
    let tenths = |divisor: u128| (u128::from(bytes) * 10 + divisor / 2) / divisor;
    let mut unit = "KiB";
    for next in ["MiB", "GiB", "TiB"] {
        if tenths(divisor) < FULL {
            break;
        }
        divisor *= u128::from(STEP);
        unit = next;
    }
    let tenths = tenths(divisor);
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}
