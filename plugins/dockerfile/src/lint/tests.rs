use super::*;
use crate::parse::parse;

fn warnings(text: &str) -> Vec<(Rule, String)> {
    let file = parse(text).unwrap();
    let seen = file
        .lint()
        .into_iter()
        .map(|warning| (warning.rule.unwrap(), file.source.slice(warning.span).to_owned()));
    seen.collect()
}

#[test]
fn rules_about_the_file_as_written() {
    let rows: [(&str, &[(Rule, &str)]); 26] = [
        ("FROM a AS b\nRUN c\nCMD [\"d\"]\n", &[]),
        ("FROM a AS Base\n", &[(Rule::StageNameCasing, "Base")]),
        ("FROM a as b\n", &[(Rule::FromAsCasing, "as")]),
        ("from a as b\nrun c\n", &[]),
        ("from a AS b\n", &[(Rule::FromAsCasing, "AS")]),
        ("From a as b\nRUN c\n", &[(Rule::ConsistentInstructionCasing, "From")]),
        ("FROM a\nrun c\nRUN d\n", &[(Rule::ConsistentInstructionCasing, "run")]),
        ("from a\nrun c\nRUN d\n", &[(Rule::ConsistentInstructionCasing, "RUN")]),
        ("arg A\nFROM a\nRUN d\n", &[]),
        ("FROM a\nRUN c \\\n\n  d\n", &[(Rule::NoEmptyContinuation, "")]),
        (
            "FROM a AS b\nFROM c AS B\n",
            &[(Rule::StageNameCasing, "B"), (Rule::DuplicateStageName, "B")],
        ),
        ("FROM a AS scratch\n", &[(Rule::ReservedStageName, "scratch")]),
        ("FROM a AS context\n", &[(Rule::ReservedStageName, "context")]),
        ("FROM a\nMAINTAINER b\n", &[(Rule::MaintainerDeprecated, "MAINTAINER b")]),
        (
            "FROM a\nENV b c\nLABEL d e\n",
            &[(Rule::LegacyKeyValueFormat, "b"), (Rule::LegacyKeyValueFormat, "d")],
        ),
        (
            "FROM a\nCMD [\"b\"]\nRUN c\nCMD [\"d\"]\n",
            &[(Rule::MultipleInstructionsDisallowed, "CMD [\"b\"]")],
        ),
        ("FROM a\nCMD [\"b\"]\nFROM a\nCMD [\"d\"]\n", &[]),
        (
            "FROM a\nHEALTHCHECK NONE\nHEALTHCHECK NONE\nENTRYPOINT [\"b\"]\n",
            &[(Rule::MultipleInstructionsDisallowed, "HEALTHCHECK NONE")],
        ),
        (
            "FROM a\nARG GITHUB_TOKEN AUTHOR\nENV AUTH=1 PUBLIC_KEY=2\n",
            &[(Rule::SecretsUsedInArgOrEnv, "GITHUB_TOKEN"), (Rule::SecretsUsedInArgOrEnv, "AUTH")],
        ),
        ("ARG PASSWORD\nFROM a\n", &[]),
        ("# check=skip=StageNameCasing,FromAsCasing;error=true\nFROM a as Base\n", &[]),
        ("# check=skip=all\nFROM a as Base\n", &[]),
        ("FROM a\n# check=skip=MaintainerDeprecated\nMAINTAINER b\n", &[]),
        (
            "FROM a\n# check=skip=MultipleInstructionsDisallowed\nCMD [\"b\"]\nCMD [\"c\"]\n",
            &[(Rule::MultipleInstructionsDisallowed, "CMD [\"b\"]")],
        ),
        ("# what for\nFROM a AS b\n", &[]),
        (
            "# check=experimental=InvalidDefinitionDescription\n# b is a stage\nFROM a AS b\n# what for\nFROM a AS c\n# said\nFROM a\n# no\nARG D E\n# E is good\nARG D E\n# but\n#\nARG F\n",
            &[
                (Rule::InvalidDefinitionDescription, "what for"),
                (Rule::InvalidDefinitionDescription, "no"),
            ],
        ),
    ];
    for (text, wanted) in rows {
        let wanted: Vec<(Rule, String)> =
            wanted.iter().map(|(rule, place)| (*rule, (*place).to_owned())).collect();
        assert_eq!(warnings(text), wanted, "{text}");
    }
}

#[test]
fn every_rule_has_a_page() {
    let rows = [
        (Rule::JsonArgsRecommended, "json-args-recommended"),
        (Rule::SecretsUsedInArgOrEnv, "secrets-used-in-arg-or-env"),
        (Rule::FromPlatformFlagConstDisallowed, "from-platform-flag-const-disallowed"),
        (Rule::UndefinedVar, "undefined-var"),
        (Rule::ExposeProtoCasing, "expose-proto-casing"),
    ];
    for (rule, page) in rows {
        assert_eq!(rule.url(), format!("https://docs.docker.com/go/dockerfile/rule/{page}/"));
    }
}

#[test]
fn a_warning_names_its_rule() {
    let text = "FROM a\nMAINTAINER b\n";
    let file = parse(text).unwrap();
    let wanted = "warning[MaintainerDeprecated]: MAINTAINER is deprecated\n --> Dockerfile:2:1\n  |\n2 | MAINTAINER b\n  | ^^^^^^^^^^^^\n  = help: write `LABEL org.opencontainers.image.authors=\"b\"`";
    assert_eq!(file.lint()[0].render("Dockerfile", &file.source), wanted);
}
