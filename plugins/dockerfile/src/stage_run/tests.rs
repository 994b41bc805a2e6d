use super::*;
use crate::parse::parse;
use crate::plan::StageBase;
use crate::platform::Platform;
use crate::source::Source;
use crate::step::{Action, CopySource, CopyStep, Origin, RunStep};

mod history;
mod lint;
mod mounts;

fn machine() -> Platform {
    Platform { os: "linux".to_owned(), architecture: "amd64".to_owned(), variant: String::new() }
}

fn plan_with(text: &str, args: &[(&str, &str)]) -> Plan {
    let options = Options {
        args: args.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        build_platform: machine(),
        target_platform: machine(),
        target: None,
    };
    Plan::new(Arc::new(parse(text).unwrap()), options).unwrap()
}

/// Every step of the build, its warnings, and the config of the result.
fn build_with(
    text: &str,
    args: &[(&str, &str)],
    image: &Config,
) -> (Result<Vec<Step>, Diagnostic>, Vec<Diagnostic>, Config) {
    let mut plan = plan_with(text, args);
    for stage in plan.order().to_vec() {
        plan.add_triggers(stage, &image.on_build).unwrap();
    }
    let mut ends: Vec<Option<StageEnd>> = vec![None; plan.stages().len()];
    let (mut steps, mut warnings) = (Vec::new(), Vec::new());
    for &index in plan.order() {
        let base = match &plan.stages()[index].base {
            StageBase::Scratch => Base::Scratch,
            StageBase::Stage(parent) => Base::Stage(ends[*parent].clone().unwrap()),
            StageBase::Image(_) => Base::Image(image.clone()),
        };
        let mut run = StageRun::new(&plan, index, base);
        for step in &mut run {
            match step {
                Ok(step) => steps.push(step),
                Err(problem) => return (Err(problem), warnings, run.finish().config),
            }
        }
        warnings.extend(run.warnings().to_vec());
        ends[index] = Some(run.finish());
    }
    let end = ends[plan.target()].clone().unwrap();
    (Ok(steps), warnings, end.config)
}

fn steps(text: &str) -> Vec<Step> {
    build_with(text, &[], &Config::default()).0.unwrap()
}

fn config(text: &str) -> Config {
    let (steps, _, config) = build_with(text, &[], &Config::default());
    steps.unwrap();
    config
}

/// The only problem: its message and the text it is about.
fn problem(text: &str) -> (String, String) {
    let problem = build_with(text, &[], &Config::default()).0.unwrap_err();
    (problem.message, Source::new(text).slice(problem.span).to_owned())
}

fn runs(text: &str, args: &[(&str, &str)]) -> Vec<RunStep> {
    let steps = build_with(text, args, &Config::default()).0.unwrap();
    let run = |step: Step| if let Action::Run(run) = step.action { Some(run) } else { None };
    steps.into_iter().filter_map(run).collect()
}

fn copies(text: &str) -> Vec<CopyStep> {
    let copy = |step: Step| if let Action::Copy(copy) = step.action { Some(copy) } else { None };
    steps(text).into_iter().filter_map(copy).collect()
}

fn variable<'a>(run: &'a RunStep, name: &str) -> Option<&'a str> {
    run.env.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

#[test]
fn arguments_are_seen_from_where_they_are_declared() {
    let text = "ARG G=global H\nFROM a AS x\nRUN 0\nARG G\nARG A=$G-1 B C=\nENV E=$A\nARG A=2\n\
                RUN 1\nFROM x\nRUN 2\nFROM a\nARG H\nCOPY --from=1 a b\nRUN 3\n";
    let found = runs(text, &[("H", "given"), ("B", "b"), ("NOT", "declared")]);
    assert_eq!(variable(&found[0], "G"), None);
    let args = |index: usize| {
        let run = &found[index];
        run.args.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
    };
    assert_eq!(args(0), Vec::<String>::new());
    assert_eq!(args(1), ["G=global", "A=2", "B=b", "C="]);
    assert_eq!(variable(&found[1], "E"), Some("global-1"));
    assert_eq!(args(2), args(1));
    assert_eq!(variable(&found[2], "A"), Some("2"));
    assert_eq!(args(3), ["H=given"]);
    assert_eq!(variable(&found[3], "A"), None);
}

#[test]
fn an_env_counts_more_than_an_argument_in_stages_that_build_on_it() {
    let text = "FROM a AS x\nENV V=env\nARG V=arg\nRUN 1\nFROM x\nRUN 2\n";
    let found = runs(text, &[]);
    assert_eq!((variable(&found[0], "V"), variable(&found[1], "V")), (Some("arg"), Some("env")));
    assert_eq!(config(text).variable("V"), Some("env"));
}

#[test]
fn pairs_of_one_env_do_not_see_each_other() {
    let found = config("FROM a\nENV a=1\nENV a=2 b=$a \"c d\"='$a' e=\"$a\\$\"\nENV f $a  $b\n");
    let pairs: Vec<(&str, &str)> =
        found.env.iter().skip(1).map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(pairs, [("a", "2"), ("b", "1"), ("c d", "$a"), ("e", "1$"), ("f", "2  1")]);
    let wanted = ("name `$x` is empty".to_owned(), "$x".to_owned());
    assert_eq!(problem("FROM a\nENV $x=1\n"), wanted);
}

#[test]
fn the_environment_has_a_path() {
    let base = Config { env: vec![("PATH".to_owned(), "/p".to_owned())], ..Config::default() };
    let text = "FROM a\nENV PATH=$PATH:/q\n";
    let path = |config: Config| config.variable("PATH").map(str::to_owned);
    assert_eq!(path(build_with(text, &[], &base).2).as_deref(), Some("/p:/q"));
    assert_eq!(path(config("FROM scratch\n")).as_deref(), Some(DEFAULT_PATH));
}

#[test]
fn commands_are_wrapped_in_the_shell_of_the_moment() {
    let text = "FROM a\nRUN a  b\nRUN [\"c\", \"$D\"]\nSHELL [\"/bin/bash\", \"-ec\"]\nRUN $X d\n\
                CMD e\nENTRYPOINT [\"f\"]\n";
    let argv: Vec<Vec<String>> = runs(text, &[]).into_iter().map(|run| run.argv).collect();
    let wanted: [&[&str]; 3] =
        [&["/bin/sh", "-c", "a  b"], &["c", "$D"], &["/bin/bash", "-ec", "$X d"]];
    assert_eq!(argv, wanted);
    let found = config(text);
    let owned = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
    assert_eq!(found.cmd, owned(&["/bin/bash", "-ec", "e"]));
    assert_eq!(found.entrypoint, owned(&["f"]));
    assert_eq!(found.shell, owned(&["/bin/bash", "-ec"]));
}

#[test]
fn an_entrypoint_forgets_the_command_of_the_base() {
    let base = Config { cmd: Some(vec!["base".to_owned()]), ..Config::default() };
    let cmd = |text: &str| build_with(text, &[], &base).2.cmd;
    assert_eq!(cmd("FROM a\n"), base.cmd);
    assert_eq!(cmd("FROM a\nENTRYPOINT [\"x\"]\n"), None);
    assert_eq!(cmd("FROM a\nCMD []\n"), None);
    assert_eq!(cmd("FROM a\nCMD [\"y\"]\nENTRYPOINT [\"x\"]\n"), Some(vec!["y".to_owned()]));
    let inherited = "FROM a AS b\nCMD [\"y\"]\nFROM b\nENTRYPOINT [\"x\"]\n";
    assert_eq!(cmd(inherited), None);
}

#[test]
fn documents_are_scripts() {
    let text = "FROM a\nRUN <<EOF\none $X\nEOF\nRUN <<-'S'\n\t#!/bin/x\n\ty\nS\n\
                RUN cat <<A >b && cat <<-B\na\nA\n\tb\nB\n";
    let found = runs(text, &[]);
    let commands: Vec<&str> =
        found.iter().map(|run| run.argv.last().map(String::as_str).unwrap()).collect();
    let wanted = ["one $X\n", "/dev/pipes/S", "cat <<A >b && cat <<-B\na\nA\n\tb\nB"];
    assert_eq!(commands, wanted);
    let script = found[1].script.as_ref().unwrap();
    assert_eq!((script.path.as_str(), script.content.as_str()), ("/dev/pipes/S", "#!/bin/x\ny\n"));
    assert_eq!((&found[0].script, &found[2].script), (&None, &None));
}

#[test]
fn documents_are_files() {
    let text = "FROM a\nARG X=1\nCOPY <<a p-$X <<'b' /d\n\"$X\" \\$X\na\n$X\nb\n";
    let found = copies(text);
    let inline = |name: &str, content: &str| CopySource::Inline {
        name: name.to_owned(),
        content: content.to_owned(),
    };
    let wanted =
        [CopySource::Path("p-1".to_owned()), inline("a", "\"1\" $X\n"), inline("b", "$X\n")];
    assert_eq!(found[0].sources, wanted);
}

#[test]
fn directories_are_followed() {
    let text = "FROM a\nCOPY a b\nWORKDIR /w\nCOPY a b\nWORKDIR x/../y\nCOPY a . \nCOPY a /c/\n\
                RUN x\n";
    let to: Vec<String> = copies(text).into_iter().map(|copy| copy.destination).collect();
    assert_eq!(to, ["/b", "/w/b", "/w/y/", "/c/"]);
    assert_eq!(runs(text, &[])[0].working_dir, "/w/y");
    assert_eq!(config(text).working_dir, "/w/y");
}

#[test]
fn users_and_owners_are_expanded() {
    let text = "FROM a AS x\nARG U=app M=u=rwX\nUSER $U:g\nRUN x\nWORKDIR /w\n\
                FROM b\nARG U=app\nCOPY --from=x --chown=$U --chmod=0$NOT \
                --exclude=$U/* [\"$U a\", \"d\"]\n";
    let found = steps(text);
    let Action::Workdir { path, user } = &found[3].action else { panic!("{found:?}") };
    assert_eq!((path.as_str(), user.as_str()), ("/w", "app:g"));
    let copy = &copies(text)[0];
    assert_eq!(copy.origin, Origin::Stage(0));
    assert_eq!(copy.chown.as_deref(), Some("app"));
    assert_eq!(copy.chmod, Some("0".to_owned()));
    // Exclusions are not expanded: in BuildKit neither.
    assert_eq!(copy.exclude, ["$U/*"]);
    assert_eq!(copy.sources, [CopySource::Path("app a".to_owned())]);
}

#[test]
fn triggers_of_the_base_come_first() {
    let base = Config { on_build: vec!["RUN base $P".to_owned()], ..Config::default() };
    let text = "FROM a AS x\nRUN x\nONBUILD RUN trigger\nONBUILD ENV T=1\nFROM x AS y\nRUN y\n\
                FROM y\nRUN z\n";
    let (found, _, config) = build_with(text, &[], &base);
    let seen: Vec<(String, bool)> =
        found.unwrap().into_iter().map(|step| (step.text, step.is_trigger)).collect();
    let wanted = [
        ("RUN base $P", true),
        ("RUN x", false),
        ("ONBUILD RUN trigger", false),
        ("ONBUILD ENV T=1", false),
        ("RUN trigger", true),
        ("ENV T=1", true),
        ("RUN y", false),
        ("RUN z", false),
    ];
    assert_eq!(seen, wanted.map(|(text, is_trigger)| (text.to_owned(), is_trigger)));
    assert_eq!((config.on_build, config.env[1].0.as_str()), (Vec::new(), "T"));
}

#[test]
fn triggers_are_kept_for_those_who_build_on_the_image() {
    assert_eq!(config("FROM a\nONBUILD RUN x\n").on_build, ["RUN x"]);
}

#[test]
fn additions_are_of_files_urls_and_repositories() {
    let text = "FROM a\nARG D=sha256:0\nADD --checksum=$D --unpack https://x/a /d\n\
                ADD --keep-git-dir=false git@h:x.git#v1 a.tar /d\n";
    let adds: Vec<_> = steps(text)
        .into_iter()
        .filter_map(|step| if let Action::Add(add) = step.action { Some(add) } else { None })
        .collect();
    assert_eq!(adds[0].sources, [CopySource::Url("https://x/a".to_owned())]);
    assert_eq!((adds[0].checksum.as_deref(), adds[0].unpack), (Some("sha256:0"), Some(true)));
    let wanted =
        [CopySource::Git("git@h:x.git#v1".to_owned()), CopySource::Path("a.tar".to_owned())];
    assert_eq!(adds[1].sources, wanted);
    assert_eq!((adds[1].keep_git_dir, adds[1].unpack), (Some(false), None));
}

#[test]
fn proxies_are_given_without_being_declared() {
    let args = [("http_proxy", "p"), ("HTTPS_PROXY", "q"), ("X", "1")];
    let text = "FROM a\nRUN 1\nARG HTTPS_PROXY\nRUN 2\n";
    let found = runs(text, &args);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let wanted = [
        pair("HTTPS_PROXY", "q"),
        pair("https_proxy", "q"),
        pair("HTTP_PROXY", "p"),
        pair("http_proxy", "p"),
    ];
    assert_eq!(found[0].proxy, wanted);
    assert_eq!(found[0].args, []);
    assert_eq!(found[1].args, [pair("HTTPS_PROXY", "q")]);
}

#[test]
fn what_cannot_be_done_has_a_place() {
    let rows = [
        ("COPY https://x/y /d", "source of COPY is a URL", "https://x/y"),
        ("COPY git@h:x /d", "source of COPY is a repository", "git@h:x"),
        ("COPY --chmod=99 a b", "`--chmod` is `99`, which is no mode", "99"),
        (
            "ADD --checksum=sha256:0 a /d",
            "checksum of what is neither a URL nor a repository",
            "sha256:0",
        ),
        ("ADD --checksum=x a b /d", "checksum of several sources", "x"),
        ("STOPSIGNAL SIGTREM", "`SIGTREM` is no signal of Linux", "SIGTREM"),
        ("EXPOSE 80 x", "`x` is no port, expected a number up to 65535 or a range", "x"),
        ("VOLUME $NOT", "volume `$NOT` is an empty path", "$NOT"),
        ("USER a${b", "substitution has no closing `}`", "${b"),
        ("LABEL a='b", "single quote is not closed", "'b"),
        ("ARG A=${B:?say}", "`B`: say", "${B:?say}"),
        ("COPY <<E /d\n${x:-\nE", "substitution has no closing `}`", "${x:-\n"),
    ];
    for (text, message, place) in rows {
        let wanted = (message.to_owned(), place.to_owned());
        assert_eq!(problem(&format!("FROM a\n{text}\n")), wanted, "{text}");
    }
}

#[test]
fn nothing_follows_an_error() {
    let plan = plan_with("FROM a\nUSER ${\nRUN x\n", &[]);
    let mut run = StageRun::new(&plan, 0, Base::Scratch);
    assert!(run.next().unwrap().is_err());
    assert_eq!(run.next(), None);
}

#[test]
fn a_stage_has_limits() {
    let pairs = |count: usize| (0..count).map(|n| format!(" v{n}=1")).collect::<String>();
    let wanted = "stage has more than 10000 variables";
    assert_eq!(problem(&format!("FROM a\nENV{}\n", pairs(10_000))).0, wanted);
    assert_eq!(problem(&format!("FROM a\nARG{}\n", pairs(10_001))).0, wanted);
    let words = " $A".repeat(40);
    let text = format!("FROM a\nENV A={}\nCOPY{words} /d\n", "a".repeat(500_000));
    assert_eq!(problem(&text), ("stage expands to more than 16 MiB".to_owned(), "$A".to_owned()));
}
