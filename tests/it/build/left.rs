//! What a build that is stopped or killed leaves behind: nothing.

use std::path::Path;

use support::{Running, Signal, poll};

use super::Workshop;

const RUN: [&str; 4] = ["run", "p.toml", "--format", "json"];

/// A build that hangs in a command, which has children, and has written something.
fn hanging(shop: &Workshop, marker: &str) -> Running {
    let dockerfile = format!(
        "FROM {}\nRUN echo begun > /begun; {marker} & setsid {marker} & {marker}\n",
        shop.base()
    );
    shop.host.write("ctx/Dockerfile", dockerfile);
    shop.host.write("p.toml", shop.pipeline("context = \"ctx\""));
    let running = shop.host.spawn(&RUN, b"");
    poll("the command", || (processes(marker) >= 3).then_some(()));
    running
}

/// How many processes have this command line.
fn processes(marker: &str) -> usize {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).replace('\0', " ").trim() == marker).count()
}

/// What is mounted below the folder, as any process but the build's own sees it.
fn mounts(folder: &Path) -> Vec<String> {
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let folder = folder.display().to_string();
    table.lines().filter(|line| line.contains(&folder)).map(str::to_owned).collect()
}

/// Directories in which builds work, wherever in the store they are.
fn work_directories(shop: &Workshop) -> Vec<String> {
    let mut found = Vec::new();
    for kind in std::fs::read_dir(shop.builds()).unwrap().flatten() {
        let folder = kind.path().join("work");
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        found.extend(entries.map(|entry| entry.path().display().to_string()));
    }
    found
}

#[test]
fn a_runner_that_is_killed_leaves_no_process_and_no_mount() {
    let shop = Workshop::new();
    let marker = format!("sleep 97{}", std::process::id());
    let running = hanging(&shop, &marker);
    running.signal(Signal::SIGKILL);
    let (status, ..) = running.finish();
    assert!(!status.success());
    poll("the end of the command", || (processes(&marker) == 0).then_some(()));
    assert_eq!(mounts(&shop.builds()), [""; 0]);
    let left = work_directories(&shop);
    assert!(!left.is_empty(), "it could not clean up: it was killed");
    // The next one does.
    shop.host.write("ctx/Dockerfile", format!("FROM {}\nRUN [ ! -e /begun ]\n", shop.base()));
    shop.build("context = \"ctx\"");
    let still = work_directories(&shop);
    assert!(left.iter().all(|path| !still.contains(path)), "{left:?} {still:?}");
}

#[test]
fn an_interrupt_ends_the_command_and_the_run() {
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let shop = Workshop::new();
        let marker = format!("sleep 96{}", std::process::id());
        let running = hanging(&shop, &marker);
        running.signal(signal);
        let ran = shop.host.finish(running, &RUN);
        ran.exits(code);
        assert_eq!(ran.finished("build")["outcome"], "cancelled");
        poll("the end of the command", || (processes(&marker) == 0).then_some(()));
        assert_eq!(mounts(&shop.builds()), [""; 0]);
        assert_eq!(work_directories(&shop), [""; 0]);
    }
}
