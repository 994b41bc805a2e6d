use std::sync::Arc;

use super::*;
use crate::lint::Rule;
use crate::parse::parse;
use crate::source::Source;

fn platform(text: &str) -> Platform {
    let machine = Platform {
        os: "linux".to_owned(),
        architecture: "amd64".to_owned(),
        variant: String::new(),
    };
    Platform::parse(text, &machine).unwrap()
}

fn options(args: &[(&str, &str)], target: Option<&str>) -> Options {
    Options {
        args: args.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        build_platform: platform("linux/amd64"),
        target_platform: platform("linux/arm64"),
        target: target.map(str::to_owned),
    }
}

fn try_plan(text: &str, options: Options) -> Result<Plan, Vec<String>> {
    let file = Arc::new(parse(text).unwrap());
    let source = Source::new(text);
    let line = |problem: &Diagnostic| {
        let help = problem.help.clone().unwrap_or_default();
        format!("{} | {} | {help}", problem.message, source.slice(problem.span))
    };
    Plan::new(file, options).map_err(|problems| problems.iter().map(line).collect())
}

fn plan(text: &str) -> Plan {
    try_plan(text, options(&[], None)).unwrap()
}

fn problems(text: &str) -> Vec<String> {
    try_plan(text, options(&[], None)).map(|plan| format!("{plan:?}")).unwrap_err()
}

fn bases(plan: &Plan) -> Vec<String> {
    let base = |stage: &PlannedStage| match &stage.base {
        StageBase::Scratch => format!("scratch {}", stage.platform),
        StageBase::Stage(index) => format!("{index} {}", stage.platform),
        StageBase::Image(image) => format!("{image} {}", stage.platform),
    };
    plan.stages().iter().map(base).collect()
}

#[test]
fn bases_are_expanded_with_global_arguments() {
    let text = "ARG REG=r.example\nARG NAME=$REG/x TAG\n\
                FROM ${NAME}:${TAG:-1} AS a\nFROM scratch\nFROM A\nFROM --platform=$BUILDPLATFORM b\n";
    let found = plan(text);
    let arm = "linux/arm64";
    let wanted = [
        format!("r.example/x:1 {arm}"),
        format!("scratch {arm}"),
        format!("0 {arm}"),
        "b linux/amd64".to_owned(),
    ];
    assert_eq!(bases(&found), wanted);
    assert_eq!(found.order(), [3]);
    let given = options(&[("REG", "other.example"), ("TAG", "2"), ("TARGETPLATFORM", "x")], None);
    let found = try_plan(text, given).unwrap();
    assert_eq!(bases(&found)[0], format!("other.example/x:2 {arm}"));
    assert_eq!(found.globals.get("TARGETPLATFORM"), Some("x"));
}

#[test]
fn platforms_are_predefined() {
    let text = "FROM --platform=${TARGETOS}/${TARGETARCH} a-$BUILDARCH-$BUILDOS:$TARGETSTAGE\n";
    assert_eq!(bases(&plan(text)), ["a-amd64-linux:default linux/arm64"]);
    let text = "FROM a AS x\nFROM --platform=$BUILDPLATFORM b AS y\nFROM y\n";
    assert_eq!(bases(&plan(text))[2], "1 linux/amd64");
}

#[test]
fn stages_that_nobody_needs_are_left_out() {
    let text = "FROM a AS one\nFROM b AS two\nFROM one AS three\nCOPY --from=c x y\n\
                FROM d AS four\nRUN --mount=from=two,target=/t x\nFROM four\nCOPY --from=0 a b\n";
    let found = plan(text);
    assert_eq!(found.order(), [0, 1, 3, 4]);
    assert_eq!(found.stages()[4].needs, [0, 3]);
    let found = try_plan(text, options(&[], Some("THREE"))).unwrap();
    assert_eq!((found.order(), found.target()), ([0, 2].as_slice(), 2));
    assert_eq!(try_plan(text, options(&[], Some("1"))).unwrap().order(), [1]);
    let wanted = ["target stage `thre` is not in the file |  | did you mean `three`?"];
    assert_eq!(try_plan(text, options(&[], Some("thre"))).unwrap_err(), wanted);
}

#[test]
fn references_are_all_images_or_what_the_result_is_built_on() {
    let text = "FROM a AS one\nFROM unused\nFROM --platform=$BUILDPLATFORM b AS two\n\
                COPY --from=c x y\nRUN --mount=from=d,target=/t --mount=type=cache,target=/c x\n\
                COPY --from=scratch x y\nFROM one AS three\nFROM three\nCOPY --from=two x y\n";
    let found = plan(text);
    let seen = |scope: Scope| {
        let text = |found: &Reference| {
            format!("{} {} {:?} {}", found.image, found.platform, found.usage, found.stage)
        };
        found.references(scope).iter().map(text).collect::<Vec<_>>()
    };
    let wanted = [
        "a linux/arm64 Base 0",
        "b linux/amd64 Base 2",
        "c linux/arm64 Copy 2",
        "d linux/arm64 Mount 2",
    ];
    assert_eq!(seen(Scope::All), wanted);
    assert_eq!(seen(Scope::Runtime), ["a linux/arm64 Base 0"]);
    let spans: Vec<&str> =
        found.references(Scope::All).iter().map(|r| found.file().source.slice(r.span)).collect();
    assert_eq!(spans, ["FROM a AS one", "FROM --platform=$BUILDPLATFORM b AS two", "c", "d"]);
}

#[test]
fn of_two_stages_of_a_name_the_nearest_above_is_meant() {
    let text = "FROM a AS x\nFROM b AS X\nFROM c\nCOPY --from=x a b\nFROM x\nCOPY --from=2 a b\n\
                FROM d AS x\n";
    let found = try_plan(text, options(&[], Some("3"))).unwrap();
    assert_eq!(found.stages()[3].base, StageBase::Stage(1));
    assert_eq!(found.order(), [1, 2, 3]);
}

#[test]
fn what_leads_nowhere_is_refused() {
    let rows = [
        ("FROM a\nCOPY --from=5 a b", "there is no stage 5, the last one is 0 | 5 | "),
        ("FROM a\nCOPY --from=-1 a b", "there is no stage -1, the last one is 0 | -1 | "),
        ("FROM a AS x\nCOPY --from=x a b", "stage `x` needs itself | x | "),
        ("FROM a\nCOPY --from=0 a b", "stage `0` needs itself | 0 | "),
        (
            "FROM a\nCOPY --from=$X a b",
            "`from` takes no variables | $X | name a stage there, and use the variable in its `FROM`",
        ),
        (
            "FROM a AS builder\nFROM b\nCOPY --from=Bilder a b",
            "`Bilder` is neither a stage nor an image | Bilder | did you mean `builder`?",
        ),
        (
            "ARG X\nFROM $X",
            "base `$X` is empty | $X | set the build argument `X`, or give `ARG X=` a default",
        ),
        ("FROM ${X?none}", "`X`: none | ${X?none} | "),
        (
            "FROM a AS one\nFROM One:\n",
            "base `One:` is neither an image nor an earlier stage | One: | did you mean `one`?",
        ),
        (
            "FROM --platform=what/ever/it/is a",
            "`what/ever/it/is` is no platform | what/ever/it/is | write `--platform=linux/amd64`",
        ),
        (
            "FROM --platform=$TARGTPLATFORM a",
            "platform `$TARGTPLATFORM` is empty | $TARGTPLATFORM | did you mean `$TARGETPLATFORM`?",
        ),
    ];
    for (text, wanted) in rows {
        assert_eq!(problems(text), [wanted], "{text}");
    }
}

#[test]
fn a_later_stage_is_a_problem_only_if_it_is_asked_for() {
    let text = "FROM a\nCOPY --from=later a b\nFROM b AS later\n";
    assert_eq!(plan(text).order(), [1]);
    let wanted = ["stage `later` comes later in the file | later | move it above this stage"];
    assert_eq!(try_plan(text, options(&[], Some("0"))).unwrap_err(), wanted);
}

#[test]
fn triggers_of_a_base_image_may_need_more() {
    let text = "FROM t AS tools\nFROM base AS app\nRUN x\n";
    let mut found = plan(text);
    assert_eq!(found.order(), [1]);
    let triggers = ["COPY --from=tools a b".to_owned(), "COPY --from=c <<f /g\nx\nf".to_owned()];
    found.add_triggers(1, &triggers).unwrap();
    assert_eq!(found.order(), [0, 1]);
    let images: Vec<String> =
        found.references(Scope::All).into_iter().map(|found| found.image).collect();
    assert_eq!(images, ["t", "base", "c"]);
    assert_eq!(found.stages()[1].triggers.len(), 2);

    let wrong = ["FROM x".to_owned(), String::new(), "RUN a\nRUN b".to_owned(), "RNU".to_owned()];
    let messages: Vec<(String, Span)> = found
        .add_triggers(1, &wrong)
        .unwrap_err()
        .into_iter()
        .map(|problem| (problem.message, problem.span))
        .collect();
    let at = found.stages()[1].span;
    let wanted = [
        "trigger `FROM x` of the base: FROM cannot be a trigger of ONBUILD",
        "trigger `` of the base: it is empty",
        "trigger `RUN a\nRUN b` of the base: it is more than one instruction",
        "trigger `RNU` of the base: unknown instruction `RNU`",
    ];
    assert_eq!(messages, wanted.map(|message| (message.to_owned(), at)));
}

#[test]
fn build_arguments_that_nobody_asks_for_are_named() {
    let args = [
        ("A", "1"),
        ("B", "1"),
        ("C", "1"),
        ("HTTP_PROXY", "1"),
        ("TARGETOS", "1"),
        ("SOURCE_DATE_EPOCH", "1"),
        ("BUILDKIT_INLINE_CACHE", "1"),
    ];
    let text = "ARG A\nFROM a\nARG C\nFROM b\nARG B\n";
    assert_eq!(try_plan(text, options(&args, None)).unwrap().unused_args(), ["C"]);
}

#[test]
fn lint_rules_about_from() {
    let warnings = |text: &str| {
        let found = plan(text);
        let seen = found.warnings().iter().map(|warning| {
            (warning.rule.unwrap(), found.file().source.slice(warning.span).to_owned())
        });
        seen.collect::<Vec<_>>()
    };
    let one = |rule: Rule, place: &str| vec![(rule, place.to_owned())];
    let rows = [
        ("ARG A=a\nFROM $A", vec![]),
        ("ARG VERSION=1\nFROM a:${VERSON:-1}", one(Rule::UndefinedArgInFrom, "${VERSON:-1}")),
        (
            "FROM --platform=$TARGETPLATFORM a",
            one(Rule::RedundantTargetPlatform, "$TARGETPLATFORM"),
        ),
        (
            "FROM --platform=linux/amd64 a AS b",
            one(Rule::FromPlatformFlagConstDisallowed, "linux/amd64"),
        ),
        ("FROM --platform=linux/amd64 a AS b-amd64", vec![]),
        ("FROM --platform=$BUILDPLATFORM a", vec![]),
        ("# check=skip=RedundantTargetPlatform\nFROM --platform=$TARGETPLATFORM a", vec![]),
        ("FROM a\n# check=skip=all\nFROM --platform=$TARGETPLATFORM a", vec![]),
    ];
    for (text, wanted) in rows {
        assert_eq!(warnings(text), wanted, "{text}");
    }
    let text = "ARG TAG\nFROM a:${TAG}";
    let given = try_plan(text, options(&[("TAG", "1")], None)).unwrap();
    let rules: Vec<Option<Rule>> = given.warnings().iter().map(|warning| warning.rule).collect();
    assert_eq!(rules, [Some(Rule::InvalidDefaultArgInFrom)]);
}
