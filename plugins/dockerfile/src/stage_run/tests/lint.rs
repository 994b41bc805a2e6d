//! The lint rules that depend on what variables hold.

use super::*;

fn warnings(text: &str) -> Vec<(Rule, String)> {
    let (found, warnings, _) = build_with(text, &[], &Config::default());
    found.unwrap();
    let source = Source::new(text);
    let seen = warnings.iter().map(|w| (w.rule.unwrap(), source.slice(w.span).to_owned()));
    seen.collect()
}

#[test]
fn rules_about_instructions() {
    let rows: [(&str, &[(Rule, &str)]); 16] = [
        ("USER $PAHT", &[(Rule::UndefinedVar, "$PAHT")]),
        ("ENV A=$X B=${X:-1}", &[(Rule::UndefinedVar, "$X")]),
        ("ARG X\nENV A=$X", &[]),
        ("COPY <<E /d\n$X\nE", &[(Rule::UndefinedVar, "$X")]),
        ("COPY <<'E' /d\n$X\nE", &[]),
        ("RUN echo $X", &[]),
        ("# check=skip=UndefinedVar\nUSER $X", &[]),
        ("WORKDIR a", &[(Rule::WorkdirRelativePath, "a")]),
        ("WORKDIR /a\nWORKDIR b", &[]),
        ("ENV D=/a\nWORKDIR $D", &[]),
        ("CMD a", &[(Rule::JsonArgsRecommended, "CMD a")]),
        ("ENTRYPOINT a", &[(Rule::JsonArgsRecommended, "ENTRYPOINT a")]),
        ("SHELL [\"a\"]\nCMD b\nENTRYPOINT c", &[]),
        ("EXPOSE 80/TCP", &[(Rule::ExposeProtoCasing, "80/TCP")]),
        ("EXPOSE 80:80", &[(Rule::ExposeInvalidFormat, "80:80")]),
        ("HEALTHCHECK CMD a", &[]),
    ];
    for (text, wanted) in rows {
        let wanted: Vec<(Rule, String)> =
            wanted.iter().map(|(rule, place)| (*rule, (*place).to_owned())).collect();
        assert_eq!(warnings(&format!("FROM a\n{text}\n")), wanted, "{text}");
    }
}

#[test]
fn a_stage_below_knows_of_the_directory_above() {
    assert_eq!(warnings("FROM a AS b\nWORKDIR /a\nFROM b\nWORKDIR c\n"), []);
}

#[test]
fn rules_of_the_builder() {
    let text = "FROM a\nCOPY x ./y/../z . \nADD https://h/x . /d\nCOPY --from=b x /d\n";
    let plan = plan_with(text, &[]);
    let mut run = StageRun::new(&plan, 0, Base::Scratch);
    let arm = Platform { architecture: "arm64".to_owned(), ..machine() };
    run.check_base_platform("a", &machine(), &machine());
    run.check_base_platform("a", &machine(), &arm);
    let mut asked = Vec::new();
    while let Some(step) = run.next() {
        run.check_ignored(&step.unwrap(), &mut |path| {
            asked.push(path.to_owned());
            path == "z"
        });
    }
    assert_eq!(asked, ["x", "z", "."]);
    let seen: Vec<(Rule, &str)> = run
        .warnings()
        .iter()
        .map(|warning| (warning.rule.unwrap(), warning.message.as_str()))
        .collect();
    let wanted = [
        (
            Rule::InvalidBaseImagePlatform,
            "base image `a` is for linux/arm64, the build is for linux/amd64",
        ),
        (Rule::CopyIgnoredFile, "COPY of `z`, which .dockerignore leaves out"),
    ];
    assert_eq!(seen, wanted);
}
