//! What was said, checked before anything is asked.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use windlass_plugin::{Error, Result};

use crate::inputs::Inputs;

/// The most tags of a secret in Key Vault.
const MOST_TAGS: usize = 15;

/// The most characters of a tag's name or value in Key Vault.
const LONGEST_TAG: usize = 256;

/// The most characters of a content type in Key Vault.
const LONGEST_TYPE: usize = 255;

/// The longest duration: Graph and Key Vault take no date behind the year 9999.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 24 * 60 * 60);

/// A moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Seconds since 1970.
    At(u64),
    /// Seconds from the moment at which it is written.
    In(u64),
}

impl When {
    /// The moment, if it is written now.
    #[must_use]
    pub fn from(self, now: u64) -> u64 {
        match self {
            Self::At(at) => at,
            Self::In(seconds) => now.saturating_add(seconds),
        }
    }
}

/// What is stored with a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// What kind of value it is.
    pub content_type: Option<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// From when it is good.
    pub not_before: Option<When>,
    /// Until when it is good.
    pub expires: Option<When>,
    /// Whether it may be read.
    pub enabled: Option<bool>,
}

impl Facts {
    /// Reads what `inputs` say.
    ///
    /// # Errors
    /// `invalid.inputs` for what no vault takes.
    pub fn of(inputs: &Inputs) -> Result<Self> {
        let content_type = inputs.content_type.clone();
        if content_type.as_ref().is_some_and(|it| it.is_empty() || it.len() > LONGEST_TYPE) {
            return Err(Error::invalid("`content-type` has to be 1 to 255 characters")
                .hint("leave it out, or say it shortly: `text/plain`"));
        }
        let is_long = |text: &String| text.chars().count() > LONGEST_TAG;
        let odd = inputs.tags.iter().find(|(key, value)| {
            key.is_empty() || is_long(key) || is_long(value) || key.starts_with(OWN)
        });
        if let Some((key, _)) = odd {
            return Err(Error::invalid(format!("`{key}` cannot be a tag"))
                .hint(format!("names have 1 to {LONGEST_TAG} characters, do not begin with `{OWN}`, and values have at most {LONGEST_TAG} characters")));
        }
        let own = if inputs.secret.is_some() || inputs.generate.is_some() { 0 } else { 3 };
        if inputs.tags.len() + own > MOST_TAGS {
            return Err(Error::invalid(format!("there are {} tags", inputs.tags.len())).hint(
                format!("a secret has at most {MOST_TAGS}, {own} of them set by this step"),
            ));
        }
        let when = |key: &str, text: &Option<String>| {
            text.as_deref().map(|text| when(key, text)).transpose()
        };
        Ok(Self {
            content_type,
            tags: inputs.tags.clone(),
            not_before: when("not-before", &inputs.not_before)?,
            expires: when("expires", &inputs.expires)?,
            enabled: inputs.enabled,
        })
    }
}

/// What the names of this step's own tags begin with.
pub const OWN: &str = "windlass-";

/// `text` as a moment.
fn when(key: &str, text: &str) -> Result<When> {
    if let Ok(at) = humantime::parse_rfc3339_weak(text) {
        return match at.duration_since(UNIX_EPOCH) {
            Ok(since) => Ok(When::At(since.as_secs())),
            Err(_) => Err(Error::invalid(format!("`{key} = \"{text}\"` lies before 1970"))
                .hint("write it as `2027-01-01T00:00:00Z`")),
        };
    }
    Ok(When::In(duration(key, text)?))
}

/// `text` as seconds.
///
/// # Errors
/// `invalid.inputs` for what is no duration, or none that a date can have.
pub fn duration(key: &str, text: &str) -> Result<u64> {
    let wrong = |why: &str| {
        Error::invalid(format!("`{key} = \"{text}\"` is no duration: {why}"))
            .hint(format!("write it as `{key} = \"90d\"`, or a time as `2027-01-01T00:00:00Z`"))
    };
    let found = humantime::parse_duration(text).map_err(|error| wrong(&error.to_string()))?;
    match found.as_secs() {
        0 => Err(wrong("it is shorter than a second")),
        seconds if found <= LONGEST => Ok(seconds),
        _ => Err(wrong("it is longer than a century")),
    }
}

/// How long a credential is good, and how long before its end a new one is made.
///
/// # Errors
/// `invalid.inputs` if one is no duration, or the second is not the shorter one.
pub fn validity(valid: &str, renew_before: Option<&str>) -> Result<(u64, u64)> {
    let total = duration("valid", valid)?;
    let Some(text) = renew_before else {
        return Ok((total, (total / 3).min(30 * 24 * 60 * 60)));
    };
    match duration("renew-before", text)? {
        renew if renew < total => Ok((total, renew)),
        _ => Err(Error::invalid(format!("`renew-before = \"{text}\"` is as long as `valid`"))
            .hint("every run would make a new one; say a shorter time")),
    }
}

/// A moment as text: RFC 3339, UTC.
#[must_use]
pub fn time(seconds: u64) -> String {
    // What the formatter knows ends with the year 9999.
    let seconds = seconds.min(253_402_300_799);
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
}

/// A moment that Azure says, as `2027-11-22T15:27:39Z` or with `+00:00`; none of anything else.
#[must_use]
pub fn read_time(text: &str) -> Option<u64> {
    let text = text.strip_suffix("+00:00").unwrap_or(text);
    let at = humantime::parse_rfc3339_weak(text).ok()?;
    at.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}
