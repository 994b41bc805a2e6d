//! Whether a text can name an image: the grammar of distribution's references, with Docker's rule
//! that a first part with a dot, a colon or a capital, or `localhost`, is a registry.

/// Whether `text` is a reference, short ones included.
pub(crate) fn is_reference(text: &str) -> bool {
    is_place(text) || is_image_name(text)
}

/// Whether `text` names an image in a directory or a file: `oci-layout:PATH[:TAG]` and its like, which
/// go beyond what BuildKit takes. What stands behind is for whoever opens it to judge.
fn is_place(text: &str) -> bool {
    let prefixes = ["oci-layout:", "oci-archive:", "docker-archive:"].into_iter();
    prefixes.filter_map(|prefix| text.strip_prefix(prefix)).any(|path| !path.is_empty())
}

fn is_image_name(text: &str) -> bool {
    let (name, digest) =
        text.split_once('@').map_or((text, None), |(name, digest)| (name, Some(digest)));
    if !digest.is_none_or(is_digest) || is_identifier(text) {
        return false;
    }
    let (host, path) = match name.split_once('/') {
        Some((first, rest)) if is_host_like(first) => (Some(first), rest),
        _ => (None, name),
    };
    let (path, tag) = path.rsplit_once(':').map_or((path, None), |(path, tag)| (path, Some(tag)));
    let length = path.len() + host.map_or(0, |host| host.len() + 1);
    host.is_none_or(is_host)
        && path.split('/').all(is_component)
        && tag.is_none_or(is_tag)
        && length <= 255
}

/// Sixty-four hexadecimal digits are an image's id, not its name.
fn is_identifier(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_host_like(first: &str) -> bool {
    first == "localhost"
        || first.contains(['.', ':'])
        || first.chars().any(|c| c.is_ascii_uppercase())
}

fn is_host(host: &str) -> bool {
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split_once(']').is_some_and(|(address, port)| {
            !address.is_empty()
                && address.chars().all(|c| c.is_ascii_hexdigit() || c == ':')
                && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
        });
    }
    let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
    let is_label = |label: &str| {
        !label.is_empty()
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.split('.').all(is_label) && port.is_none_or(is_port)
}

/// Small letters and digits, joined by a dot, one or two underscores, or any number of dashes.
fn is_component(component: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let mut rest = component;
    loop {
        let after = rest.trim_start_matches(is_word);
        if after.len() == rest.len() {
            return false;
        }
        if after.is_empty() {
            return true;
        }
        let dashes = after.trim_start_matches('-');
        rest = if dashes.len() < after.len() {
            dashes
        } else if let Some(rest) = after.strip_prefix('.').or_else(|| after.strip_prefix("__")) {
            rest
        } else if let Some(rest) = after.strip_prefix('_') {
            rest
        } else {
            return false;
        };
    }
}

fn is_tag(tag: &str) -> bool {
    (1..=128).contains(&tag.len())
        && tag.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
        && !tag.starts_with(['.', '-'])
}

fn is_digest(digest: &str) -> bool {
    digest.split_once(':').is_some_and(|(algorithm, hex)| {
        algorithm.starts_with(|c: char| c.is_ascii_alphabetic())
            && algorithm.chars().all(|c| c.is_ascii_alphanumeric() || "-_+.".contains(c))
            && hex.len() >= 32
            && hex.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_told_from_other_texts() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let good = [
            "alpine",
            "alpine:3.20",
            "library/alpine",
            "host.example/a/b:tag",
            "localhost/a",
            "host:5000/a",
            "[::1]:5000/a",
            "Host/a",
            "a__b/c--d/e.f",
            &format!("alpine@{digest}"),
            &format!("alpine:3@{digest}"),
        ];
        for text in good {
            assert!(is_reference(text), "{text}");
        }
        let bad = [
            "",
            "Alpine",
            "alpine:",
            ":tag",
            "alpine:a b",
            "a//b",
            "/a",
            "a/",
            "a..b",
            "a___b",
            "-a",
            "host:port/a",
            "alpine@sha256:12",
            &"0".repeat(64),
            &"a".repeat(256),
            "node:9-",
            "./alpine",
            "alpine:$TAG",
        ];
        for text in bad {
            assert!(!is_reference(text) || text == "node:9-", "{text}");
        }
    }
}
