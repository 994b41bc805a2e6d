//! What things may be called.

/// What [`is_name`] wants.
pub(super) const NAME: &str =
    "1 to 63 lower-case letters, digits and dashes, with no dash at either end";
/// What [`is_dns_label`] wants.
pub(super) const DNS_LABEL: &str = "5 to 63 lower-case letters, digits and dashes (with \
     `dns-random` to 56), a letter first and no dash last";
/// What [`is_volume`] wants.
pub(super) const VOLUME: &str =
    "5 to 63 lower-case letters, digits and dashes, with no dash at either end";

fn is_word(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    text.chars().all(allowed) && !text.starts_with('-') && !text.ends_with('-')
}

/// Whether a group or a container may be called so.
pub(super) fn is_name(text: &str) -> bool {
    (1..=63).contains(&text.len()) && is_word(text)
}

/// Whether it is a DNS label of Azure's.
pub(super) fn is_dns_label(text: &str) -> bool {
    (5..=63).contains(&text.len())
        && is_word(text)
        && text.starts_with(|first: char| first.is_ascii_lowercase())
}

/// Whether a volume may be called so.
pub(super) fn is_volume(text: &str) -> bool {
    (5..=63).contains(&text.len()) && is_word(text)
}

/// Whether a variable may be called so.
pub(super) fn is_variable(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !text.starts_with(|first: char| first.is_ascii_digit())
}
