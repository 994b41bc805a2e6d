//! What ends a command, and what is left of it: nothing.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use build::exec::Exit;

use crate::Test;
use crate::scene::Scene;

/// The argument that makes this binary a runner, to be killed.
pub(crate) const ROLE: &str = "runner";

/// Longer than anything here takes.
const FOREVER: Duration = Duration::from_secs(30);

pub(crate) const TESTS: &[Test] = &[
    (
        "processes_in_the_background_end_with_the_command",
        processes_in_the_background_end_with_the_command,
    ),
    ("a_command_that_is_stopped_leaves_nothing", a_command_that_is_stopped_leaves_nothing),
    ("a_command_that_is_dropped_leaves_nothing", a_command_that_is_dropped_leaves_nothing),
    ("a_runner_that_is_killed_leaves_nothing", a_runner_that_is_killed_leaves_nothing),
    ("a_helper_that_is_killed_leaves_nothing", a_helper_that_is_killed_leaves_nothing),
    ("a_command_may_be_stopped_before_it_begins", a_command_may_be_stopped_before_it_begins),
    ("commands_run_side_by_side", commands_run_side_by_side),
];

/// A script with many processes, some of which have left their session, that ends by force only.
/// It says so when all are there.
const BOMB: &str = "trap '' TERM INT HUP; bomb() { sleep 1000 & sleep 1000 & }; \
    for i in 1 2 3 4 5 6 7 8 9 10; do bomb & setsid sh -c 'sleep 1000 & sleep 1000' & done; \
    while [ $(ps | grep -c 'sleep 1000$') -lt 40 ]; do :; done; echo ready; wait";

/// `pid` and the processes that descend from it, by the table of the kernel.
fn descendants(pid: u32) -> BTreeSet<u32> {
    let mut found = BTreeSet::from([pid]);
    let mut parents = vec![pid];
    while let Some(parent) = parents.pop() {
        let tasks = format!("/proc/{parent}/task");
        for task in std::fs::read_dir(tasks).into_iter().flatten().flatten() {
            let text = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            let children: Vec<u32> = text.split_whitespace().flat_map(str::parse).collect();
            for child in children {
                if found.insert(child) {
                    parents.push(child);
                }
            }
        }
    }
    found
}

/// The process numbers of `pids` that are still there, the dead that wait for their parent aside.
fn alive(pids: &BTreeSet<u32>) -> Vec<u32> {
    let is_alive = |pid: &&u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
        state.is_some_and(|state| state != 'Z' && state != 'X')
    };
    pids.iter().filter(is_alive).copied().collect()
}

/// What is mounted in our own namespace.
fn mounts() -> String {
    std::fs::read_to_string("/proc/self/mountinfo").unwrap()
}

fn processes_in_the_background_end_with_the_command(scene: &Scene) {
    let run = scene.script("sleep 1000 & setsid sleep 1000 & (sleep 1000 &) ; echo done");
    let started = Instant::now();
    let outcome = scene.run(&run).unwrap();
    assert_eq!((outcome.exit, outcome.out.as_str()), (Exit::Code(0), "done\n"));
    assert!(started.elapsed() < FOREVER);
}

fn a_command_that_is_stopped_leaves_nothing(scene: &Scene) {
    let before = mounts();
    let run = scene.script(BOMB);
    let running = scene.executor.start(&run).unwrap();
    let (stop, helper) = (running.stop(), running.id());
    let mut pids = BTreeSet::new();
    let exit = running.wait(&mut |_, line| {
        assert_eq!(line, b"ready");
        pids = descendants(helper);
        stop.stop();
    });
    assert_eq!(exit.unwrap(), Exit::Stopped);
    assert!(pids.len() >= 40, "{}", pids.len());
    assert_eq!(alive(&pids), Vec::<u32>::new());
    assert_eq!(mounts(), before);
    assert_eq!(scene.list(&run.upper), Vec::<String>::new());
}

fn a_command_that_is_dropped_leaves_nothing(scene: &Scene) {
    let before = mounts();
    let running = scene.executor.start(&scene.script(BOMB)).unwrap();
    let pids = BTreeSet::from([running.id()]);
    drop(running);
    assert_eq!(alive(&pids), Vec::<u32>::new());
    assert_eq!(mounts(), before);
}

/// Plays a runner: runs the bomb over the root file system in the directory that it is given.
pub(crate) fn play(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let base = PathBuf::from(arguments.next().unwrap());
    let scene = Scene::over(&base);
    let run = scene.script(BOMB);
    let running = scene.executor.start(&run).unwrap();
    let mut out = std::io::stdout();
    let exit = running.wait(&mut |_, line| {
        use std::io::Write as _;
        writeln!(out, "{}", String::from_utf8_lossy(line)).unwrap();
    });
    if exit.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A runner in a process of its own, killed at the end of a test whatever happens.
struct Runner(Child);

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a runner and waits until its command is there. Returns all processes below it.
fn runner(scene: &Scene) -> (Runner, BTreeSet<u32>) {
    let runner = Command::new("/proc/self/exe")
        .args([ROLE.as_ref(), scene.base().as_os_str()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut runner = Runner(runner);
    let mut line = String::new();
    BufReader::new(runner.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    let mut pids = descendants(runner.0.id());
    pids.remove(&runner.0.id());
    assert!(pids.len() >= 41, "{}", pids.len());
    (runner, pids)
}

/// Waits, within reason, until none of `pids` is left.
fn wait_for_end(pids: &BTreeSet<u32>) {
    let started = Instant::now();
    while !alive(pids).is_empty() {
        assert!(started.elapsed() < FOREVER, "{:?} are left", alive(pids));
        std::thread::yield_now();
    }
}

fn a_runner_that_is_killed_leaves_nothing(scene: &Scene) {
    let before = mounts();
    let (runner, pids) = runner(scene);
    drop(runner);
    wait_for_end(&pids);
    assert_eq!(mounts(), before);
}

fn a_helper_that_is_killed_leaves_nothing(scene: &Scene) {
    let (mut runner, pids) = runner(scene);
    // Of the children of the runner it is the one that has started something.
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", runner.0.id()));
    let children = children.unwrap();
    let mut helpers = children.split_whitespace().flat_map(str::parse::<u32>);
    let helper = helpers.find(|helper| descendants(*helper).len() > 1).unwrap();
    let helper = rustix::process::Pid::from_raw(i32::try_from(helper).unwrap()).unwrap();
    rustix::process::kill_process(helper, rustix::process::Signal::KILL).unwrap();
    wait_for_end(&pids);
    let mut rest = String::new();
    runner.0.stdout.take().unwrap().read_to_string(&mut rest).unwrap();
    assert!(!runner.0.wait().unwrap().success(), "{rest}");
}

fn a_command_may_be_stopped_before_it_begins(scene: &Scene) {
    for _ in 0..20 {
        let running = scene.executor.start(&scene.script("sleep 1000")).unwrap();
        running.stop().stop();
        let pids = BTreeSet::from([running.id()]);
        assert_eq!(running.wait(&mut |_, _| {}).unwrap(), Exit::Stopped);
        assert_eq!(alive(&pids), Vec::<u32>::new());
    }
}

fn commands_run_side_by_side(scene: &Scene) {
    let runs: Vec<_> = (0..8)
        .map(|number| {
            let run = scene.script(&format!("echo {number} > /file; cat /file; hostname; echo $$"));
            scene.executor.start(&run).unwrap()
        })
        .collect();
    for (number, running) in runs.into_iter().enumerate() {
        let mut out = Vec::new();
        let exit =
            running.wait(&mut |_, line| out.push(String::from_utf8_lossy(line).into_owned()));
        assert_eq!(exit.unwrap(), Exit::Code(0));
        // Each is the first process of its own namespace.
        assert_eq!(out, [number.to_string(), "sandbox".to_owned(), "1".to_owned()]);
    }
}
