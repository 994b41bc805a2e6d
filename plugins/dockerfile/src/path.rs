//! Paths within an image: absolute, with `/`, without `.` and `..`.

/// `path` as seen from the directory `from`.
pub(crate) fn join(from: &str, path: &str) -> String {
    let all = if path.starts_with('/') { path.to_owned() } else { format!("{from}/{path}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in all.split('/') {
        match part {
            "" | "." => {}
            // The root has no parent.
            ".." => _ = parts.pop(),
            _ => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// The same, and ends with `/` if `path` says that it is a directory: `a/`, `.`, `a/.`, or nothing.
pub(crate) fn join_destination(from: &str, path: &str) -> String {
    let joined = join(from, path);
    let is_directory =
        path.is_empty() || path == "." || path.ends_with('/') || path.ends_with("/.");
    if is_directory && joined != "/" { format!("{joined}/") } else { joined }
}

/// The last part of a path; of the root, nothing.
pub(crate) fn name(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_absolute() {
        let rows = [
            ("/", "a", "/a", "/a"),
            ("/w", "a/b/", "/w/a/b", "/w/a/b/"),
            ("/w", ".", "/w", "/w/"),
            ("/w", "./", "/w", "/w/"),
            ("/w", "", "/w", "/w/"),
            ("/w", "a/.", "/w/a", "/w/a/"),
            ("/w", "../../x", "/x", "/x"),
            ("/w", "/a//b/../c", "/a/c", "/a/c"),
            ("", "a", "/a", "/a"),
            ("/", "/", "/", "/"),
        ];
        for (from, path, joined, destination) in rows {
            assert_eq!(join(from, path), joined, "{path} from {from}");
            assert_eq!(join_destination(from, path), destination, "{path} from {from}");
        }
        assert_eq!((name("/a/b/"), name("/"), name("x")), ("b", "", "x"));
    }
}
