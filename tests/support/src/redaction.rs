//! What differs from run to run is replaced by its name before text is compared.

use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;
use snapbox::Redactions;

/// What stands for it, and what it looks like.
const PATTERNS: [(&str, &str); 6] = [
    ("[RUN]", r"\brun (?<redacted>[0-9a-hjkmnp-tv-z]{3,8}) of "),
    ("[TIME]", r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z"),
    ("[TOOK]", r"\b[0-9]+ min [0-9]{2} s\b"),
    ("[TOOK]", r"\b[0-9]+(\.[0-9]+)? (ms|s)\b"),
    ("[PORT]", r"(127\.0\.0\.1|localhost|\[::1\]):(?<redacted>[0-9]{2,5})\b"),
    ("[DIGEST]", r"sha256:(?<redacted>[0-9a-f]{12,128})"),
];

static OF_EVERY_RUN: LazyLock<Redactions> = LazyLock::new(|| {
    let mut all = Redactions::new();
    for (placeholder, pattern) in PATTERNS {
        let pattern = Regex::new(pattern).expect("the patterns of the table are regular");
        all.insert(placeholder, pattern).expect("a placeholder stands in brackets");
    }
    all
});

/// The patterns above, and `root` as `[ROOT]`.
pub(crate) fn with_root(root: &Path) -> Redactions {
    let mut all = OF_EVERY_RUN.clone();
    all.insert("[ROOT]", root.to_owned()).expect("a placeholder stands in brackets");
    all
}
