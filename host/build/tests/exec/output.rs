//! What comes back from a command.

use build::exec::{ExecError, Exit, Run, Step, Stream};

use crate::Test;
use crate::scene::{Outcome, Scene};

pub(crate) const TESTS: &[Test] = &[
    ("exit_codes_come_back", exit_codes_come_back),
    ("both_streams_come_line_by_line", both_streams_come_line_by_line),
    ("much_output_needs_little_memory", much_output_needs_little_memory),
    ("a_program_that_is_missing_is_named", a_program_that_is_missing_is_named),
    ("what_is_no_program_is_said_so", what_is_no_program_is_said_so),
    ("the_environment_is_what_was_given", the_environment_is_what_was_given),
    ("the_directory_is_made", the_directory_is_made),
    ("unknown_users_are_named", unknown_users_are_named),
];

fn exit_codes_come_back(scene: &Scene) {
    let exit = |script: &str| scene.run(&scene.script(script)).unwrap().exit;
    assert_eq!(exit("true"), Exit::Code(0));
    assert_eq!(exit("exit 7"), Exit::Code(7));
    assert_eq!(exit("sh -c 'kill -9 $$'; exit $?"), Exit::Code(137));
    // A limit of the kernel's ends the first process of a namespace too.
    assert_eq!(exit("ulimit -t 0; while :; do :; done"), Exit::Signal(9));
}

fn both_streams_come_line_by_line(scene: &Scene) {
    let run =
        scene.script("echo one; echo two >&2; printf three; echo; printf 'no end'; echo ü >&2");
    let expected = Outcome {
        exit: Exit::Code(0),
        out: "one\nthree\nno end\n".to_owned(),
        err: "two\nü\n".to_owned(),
    };
    assert_eq!(scene.run(&run).unwrap(), expected);
    // By name too, as an unprivileged user of the image would.
    let run = scene.script("echo out > /dev/stdout; echo err > /dev/stderr");
    let outcome = scene.run(&run).unwrap();
    assert_eq!((outcome.out.as_str(), outcome.err.as_str()), ("out\n", "err\n"));
}

fn much_output_needs_little_memory(scene: &Scene) {
    // 100 MB in one line, then two million short ones.
    let run =
        scene.script("dd if=/dev/zero bs=1M count=100 2>/dev/null; echo; yes | head -c 4000000");
    let (mut bytes, mut longest) = (0_u64, 0);
    let running = scene.executor.start(&run).unwrap();
    let exit = running.wait(&mut |stream, line| {
        assert_eq!(stream, Stream::Out);
        bytes += line.len() as u64;
        longest = longest.max(line.len());
    });
    assert_eq!(exit.unwrap(), Exit::Code(0));
    assert_eq!((bytes, longest), ((100 << 20) + 2_000_000, build::exec::LONGEST_LINE));
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF).unwrap();
    assert!(usage.max_rss() < 64 << 10, "{} KiB", usage.max_rss());
}

/// The step that fails, and what is said.
fn refusal(scene: &Scene, run: &Run) -> (Step, String, Option<String>) {
    match scene.run(run) {
        Err(ExecError::Step(failure)) => {
            let step = failure.step;
            let help = failure.help().map(str::to_owned);
            (step, failure.to_string(), help)
        }
        other => panic!("{other:?}"),
    }
}

fn a_program_that_is_missing_is_named(scene: &Scene) {
    let mut run = scene.script("");
    run.arguments = vec!["nothing".to_owned()];
    let (step, text, help) = refusal(scene, &run);
    assert_eq!(step, Step::Command);
    assert_eq!(
        text,
        "no `nothing` in PATH, which is `/bin`: No such file or directory (os error 2)"
    );
    assert!(help.unwrap().contains("must be in the image"));
    let mut run = scene.script("");
    run.lower = Vec::new();
    let (step, text, _) = refusal(scene, &run);
    assert_eq!(step, Step::Command);
    assert_eq!(text, "cannot run `/bin/sh`: No such file or directory (os error 2)");
    assert_eq!(scene.list(&run.upper), Vec::<String>::new());
    let mut run = scene.script("");
    run.arguments = Vec::new();
    assert_eq!(refusal(scene, &run).0, Step::Request);
}

fn what_is_no_program_is_said_so(scene: &Scene) {
    let mut run = scene.script("");
    run.arguments = vec!["/etc/passwd".to_owned()];
    let (step, text, help) = refusal(scene, &run);
    assert_eq!(step, Step::Command);
    assert_eq!(text, "cannot run `/etc/passwd`: Permission denied (os error 13)");
    assert!(help.unwrap().contains("chmod"));
}

fn the_environment_is_what_was_given(scene: &Scene) {
    let mut run = scene.script("env | sort; pwd; hostname; umask");
    run.environment.push(("A".to_owned(), "1 2".to_owned()));
    let expected = "A=1 2\nHOME=/root\nPATH=/bin\nPWD=/\nSHLVL=1\n/\nsandbox\n0022\n";
    assert_eq!(scene.output_of(&run), expected);
}

fn the_directory_is_made(scene: &Scene) {
    let mut run = scene.script("pwd; ls -ld . | cut -c1-10");
    run.directory = "/srv/app".to_owned();
    assert_eq!(scene.output_of(&run), "/srv/app\ndrwxr-xr-x\n");
    assert_eq!(scene.list(&run.upper), ["40755 srv", "40755 srv/app"]);
    run = scene.script("");
    run.directory = "/etc/passwd".to_owned();
    let (step, text, _) = refusal(scene, &run);
    assert_eq!(step, Step::Directory);
    assert_eq!(text, "cannot work in `/etc/passwd`: Not a directory (os error 20)");
}

fn unknown_users_are_named(scene: &Scene) {
    let mut run = scene.script("");
    run.user = "nobody".to_owned();
    let (step, text, _) = refusal(scene, &run);
    assert_eq!(step, Step::User);
    assert_eq!(text, "the image's /etc/passwd has no user `nobody`");
}
