//! Which images a step has read and written, from the ledger of what the host did for it.

use std::fmt;

use run::LedgerLine;

/// An image that a step had to do with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageRow {
    /// What the step did with it.
    pub role: Role,
    /// As people write it, `localhost:5000/app:v1`; the repository alone where it was named by digest.
    pub reference: String,
    /// What that pointed at, or points at now.
    pub digest: String,
}

/// What a step did with an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// It built upon it.
    Base,
    /// It looked at it, or copied it.
    Read,
    /// It wrote it.
    Written,
}

impl Role {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Read => "read",
            Self::Written => "written",
        }
    }

    /// The role that `word` names.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Base, Self::Read, Self::Written].into_iter().find(|role| role.as_str() == word)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The images that `line` speaks of.
pub(crate) fn images(line: &LedgerLine) -> Vec<ImageRow> {
    let (first, last) = line.result.split_once(' ').unwrap_or(("", &line.result));
    let digest = if is_digest(last) { last } else { return Vec::new() };
    let row = |role: Role, target: &str| {
        references(target)
            .into_iter()
            .map(|reference| ImageRow { role, reference, digest: digest.to_owned() })
            .collect::<Vec<_>>()
    };
    match (line.capability.as_str(), line.action.as_str()) {
        ("oci", "resolve" | "get manifest") => row(Role::Read, &line.target),
        ("oci", "put manifest" | "push") => row(Role::Written, &line.target),
        ("oci", "copy") => {
            let Some((source, target)) = line.target.split_once(" to ") else { return Vec::new() };
            let role = if first == "changed" { Role::Written } else { Role::Read };
            [row(Role::Read, source), row(role, target)].concat()
        }
        ("build", "base") => row(Role::Base, &line.target),
        _ => Vec::new(),
    }
}

fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, hex)| {
        algorithm.starts_with("sha")
            && hex.len() >= 64
            && hex.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

/// The references of `repository:tag,tag`: one for each tag.
fn references(target: &str) -> Vec<String> {
    let (name, _) = target.split_once('@').unwrap_or((target, ""));
    // A prefix such as `oci-layout:` and a port are no tags.
    let prefix = ["oci-layout:", "oci-archive:", "docker-archive:"]
        .into_iter()
        .find(|prefix| name.starts_with(prefix))
        .map_or(0, str::len);
    let tail = name.rfind('/').map_or(prefix, |slash| slash.max(prefix));
    let colon = name.get(tail..).and_then(|rest| rest.find(':')).map(|at| tail + at);
    match colon.and_then(|at| Some((name.get(..at)?, name.get(at + 1..)?))) {
        Some((repository, tags)) => {
            tags.split([',', ' ']).map(|tag| format!("{repository}:{tag}")).collect()
        }
        None => vec![name.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn found(capability: &str, action: &str, target: &str, result: &str) -> Vec<String> {
        let line = LedgerLine {
            capability: capability.to_owned(),
            action: action.to_owned(),
            target: target.to_owned(),
            result: result.replace("{}", DIGEST),
            failed: false,
            bytes: None,
            elapsed: std::time::Duration::ZERO,
        };
        let shown = |image: ImageRow| {
            assert_eq!(image.digest, DIGEST);
            format!("{} {}", image.role, image.reference)
        };
        images(&line).into_iter().map(shown).collect()
    }

    #[test]
    fn a_copy_reads_its_source_and_writes_every_tag() {
        let target = "docker.io/library/alpine:3.20 to localhost:5000/base/alpine:3.20,3";
        assert_eq!(
            found("oci", "copy", target, "changed {}"),
            [
                "read docker.io/library/alpine:3.20",
                "written localhost:5000/base/alpine:3.20",
                "written localhost:5000/base/alpine:3"
            ]
        );
        let target = "localhost:5000/a:1 to oci-layout:out";
        assert_eq!(
            found("oci", "copy", target, "unchanged {}"),
            ["read localhost:5000/a:1", "read oci-layout:out"]
        );
    }

    #[test]
    fn a_build_has_bases_and_what_it_pushes() {
        assert_eq!(
            found("build", "base", "localhost:5000/base:1", "{}"),
            ["base localhost:5000/base:1"]
        );
        assert_eq!(
            found("oci", "push", "localhost:5000/app:da8,latest", "{}"),
            ["written localhost:5000/app:da8", "written localhost:5000/app:latest"]
        );
    }

    #[test]
    fn what_failed_or_was_only_foretold_is_no_image() {
        assert_eq!(found("oci", "resolve", "localhost:5000/a:1", "absent"), [""; 0]);
        assert_eq!(found("oci", "get manifest", "localhost:5000/a:1", "denied.oci"), [""; 0]);
        assert_eq!(found("oci", "forecast", "a:1 to b:1", "changed {}"), [""; 0]);
        let digest = format!("localhost:5000/a@{DIGEST}");
        assert_eq!(found("oci", "get manifest", &digest, "{}"), ["read localhost:5000/a"]);
    }
}
