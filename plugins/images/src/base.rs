//! Which images something is built on: what a Dockerfile names, what an image says of itself.

use std::sync::Arc;

use dockerfile::{Options, Plan, Platform, Scope, Source};
use serde::Deserialize;

use crate::platform;

/// The annotations of image-spec that name a base.
const BASE_NAME: &str = "org.opencontainers.image.base.name";
const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// Problems that are shown of one file; the rest are counted.
const MOST_SHOWN: usize = 20;

/// What is asked of a Dockerfile.
#[derive(Debug, Clone, Default)]
pub struct Question<'a> {
    /// What people know it by, for messages.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
    /// Build arguments.
    pub args: Vec<(String, String)>,
    /// The stage that is built; the last one if nothing is said.
    pub target: Option<String>,
    /// The platforms that it is built for; that of `machine` if none is named.
    pub platforms: Vec<String>,
    /// The platform of the machine that builds.
    pub machine: &'a str,
    /// Only what the image stands on, not what is merely needed while building.
    pub runtime_only: bool,
}

/// An image that a build would read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedImage {
    /// The reference as written, expanded.
    pub image: String,
    /// The platforms that are read; those that are there if nobody named any.
    pub platforms: Vec<String>,
}

/// Why a Dockerfile cannot be read: each problem with its place and line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

/// The images that the build of a Dockerfile reads, in the order of the file, each once. What
/// `ONBUILD` of a base brings in stands in the base, and is not among them.
///
/// # Errors
/// Every problem of the file.
pub fn wanted_by(question: &Question<'_>) -> Result<Vec<WantedImage>, Unreadable> {
    let source = Source::new(question.text);
    let refused = |problems: Vec<dockerfile::Diagnostic>| {
        let shown = problems.iter().take(MOST_SHOWN);
        let mut lines: Vec<String> =
            shown.map(|problem| problem.render(question.name, &source)).collect();
        if problems.len() > MOST_SHOWN {
            lines.push(format!("{} more problems", problems.len() - MOST_SHOWN));
        }
        Unreadable(lines.join("\n"))
    };
    let file = Arc::new(dockerfile::parse(question.text).map_err(refused)?);
    let machine = split(question.machine);
    let scope = if question.runtime_only { Scope::Runtime } else { Scope::All };
    let targets = match question.platforms.as_slice() {
        [] => vec![machine.clone()],
        named => named.iter().map(|platform| split(platform)).collect(),
    };
    let mut wanted: Vec<WantedImage> = Vec::new();
    for target_platform in targets {
        let options = Options {
            args: question.args.clone(),
            build_platform: machine.clone(),
            target_platform,
            target: question.target.clone(),
        };
        let plan = Plan::new(Arc::clone(&file), options).map_err(refused)?;
        for reference in plan.references(scope) {
            let platform = match question.platforms.is_empty() {
                true => None,
                false => platform::usual(&reference.platform.to_string()),
            };
            let known = wanted.iter().position(|known| known.image == reference.image);
            match known.and_then(|known| wanted.get_mut(known)) {
                Some(known) => {
                    known.platforms.extend(platform);
                    known.platforms.sort();
                    known.platforms.dedup();
                }
                None => wanted.push(WantedImage {
                    image: reference.image,
                    platforms: platform.into_iter().collect(),
                }),
            }
        }
    }
    Ok(wanted)
}

fn split(text: &str) -> Platform {
    let mut parts = text.split('/').map(str::to_owned);
    let mut next = || parts.next().unwrap_or_default();
    Platform { os: next(), architecture: next(), variant: next() }
}

/// What an image says it was built on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseNote {
    /// The reference of the base.
    pub name: String,
    /// The digest that it had.
    pub digest: Option<String>,
}

#[derive(Deserialize)]
struct Annotated {
    annotations: Option<std::collections::BTreeMap<String, String>>,
}

/// What the manifest or index in `content` says it was built on; none if it says nothing.
///
/// # Errors
/// It is not the JSON that was expected.
pub fn note_of(content: &[u8]) -> Result<Option<BaseNote>, serde_json::Error> {
    let annotated: Annotated = serde_json::from_slice(content)?;
    let mut annotations = annotated.annotations.unwrap_or_default();
    let filled = |text: &String| !text.is_empty();
    let digest = annotations.remove(BASE_DIGEST).filter(filled);
    let name = annotations.remove(BASE_NAME).filter(filled);
    Ok(name.map(|name| BaseNote { name, digest }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "ARG REGISTRY=docker.io\nARG VERSION=22\n\
        FROM --platform=$BUILDPLATFORM golang:1.24 AS build\n\
        RUN --mount=type=bind,from=tools.io/lint:1,target=/lint true\n\
        FROM ${REGISTRY}/library/node:${VERSION} AS base\n\
        FROM base\nCOPY --from=build /a /a\nCOPY --from=busybox:1 /b /b\n\
        FROM other AS unused\n";

    fn question() -> Question<'static> {
        Question {
            name: "Dockerfile",
            text: FILE,
            target: Some("2".to_owned()),
            machine: "linux/amd64",
            ..Question::default()
        }
    }

    fn images(question: &Question<'_>) -> Vec<String> {
        let wanted = wanted_by(question).unwrap().into_iter();
        wanted.map(|wanted| format!("{} {}", wanted.image, wanted.platforms.join(","))).collect()
    }

    #[test]
    fn every_image_that_the_target_needs_is_found() {
        let all = ["golang:1.24 ", "tools.io/lint:1 ", "docker.io/library/node:22 ", "busybox:1 "];
        assert_eq!(images(&question()), all);
        let mine = Question {
            args: vec![("REGISTRY".to_owned(), "base.io".to_owned())],
            runtime_only: true,
            ..question()
        };
        assert_eq!(images(&mine), ["base.io/library/node:22 "]);
    }

    #[test]
    fn platforms_are_those_that_each_stage_reads() {
        let platforms = vec!["linux/arm64".to_owned(), "linux/s390x".to_owned()];
        let all = [
            "golang:1.24 linux/amd64",
            "tools.io/lint:1 linux/arm64,linux/s390x",
            "docker.io/library/node:22 linux/arm64,linux/s390x",
            "busybox:1 linux/arm64,linux/s390x",
        ];
        assert_eq!(images(&Question { platforms, ..question() }), all);
    }

    #[test]
    fn a_file_that_is_wrong_is_refused_with_its_place() {
        let wrong = Question { text: "FROM a\nCOPY --from=b\n", ..question() };
        let said = wanted_by(&wrong).unwrap_err().to_string();
        assert!(said.contains("Dockerfile:2:"), "{said}");
        let missing = Question { target: Some("nothing".to_owned()), ..question() };
        assert!(wanted_by(&missing).unwrap_err().to_string().contains("`nothing`"));
    }

    #[test]
    fn an_image_says_what_it_was_built_on() {
        let note = |content: &str| note_of(content.as_bytes()).unwrap();
        let said = format!(
            r#"{{"annotations": {{"{BASE_NAME}": "docker.io/library/node:22", "{BASE_DIGEST}": "sha256:a"}}}}"#
        );
        let expect = BaseNote {
            name: "docker.io/library/node:22".to_owned(),
            digest: Some("sha256:a".to_owned()),
        };
        assert_eq!(note(&said), Some(expect));
        assert_eq!(note("{}"), None);
        assert_eq!(note(r#"{"annotations": null}"#), None);
        assert!(note_of(b"<html>").is_err());
    }
}
