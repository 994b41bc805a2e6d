//! Commands in a sandbox, with a root file system of one program: Debian's busybox-static.
//!
//! A harness of its own, since the binary plays other parts too: the helper of the executor, a
//! runner that is killed, and a command that tries to break out. As root every test runs three
//! times: as root, as a user with one id, and as a user with many.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "all of it is tests, which clippy does not see without the usual harness"
)]

mod attack;
mod files;
mod lifetime;
mod mounts;
mod output;
mod outsider;
mod rights;
mod scene;
mod traces;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::scene::Scene;

type Test = (&'static str, fn(&Scene));

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next().as_ref().and_then(|argument| argument.to_str()) {
        Some(build::exec::HELPER) => return build::exec::helper(arguments),
        Some(attack::ROLE) => return attack::play(arguments),
        Some(attack::SCRIPT) => return attack::look_at_program(),
        Some(lifetime::ROLE) => return lifetime::play(arguments),
        _ => {}
    }
    let tests: Vec<Test> = [
        output::TESTS,
        mounts::TESTS,
        traces::TESTS,
        rights::TESTS,
        files::TESTS,
        attack::TESTS,
        lifetime::TESTS,
    ]
    .concat();
    let arguments = Arguments::from_args();
    let is_root = rustix::process::geteuid().is_root();
    let mut trials = Vec::new();
    for (name, test) in tests {
        if is_root {
            trials.push(trial(format!("root::{name}"), move || test(&Scene::new())));
            for who in [outsider::Who::Single, outsider::Who::Mapped] {
                let name = format!("{}::{name}", who.name());
                trials.push(trial(name.clone(), move || outsider::run(who, &name)));
            }
        } else {
            // Which of the two it is has been decided by who started us.
            for who in [outsider::Who::Single, outsider::Who::Mapped] {
                let name = format!("{}::{name}", who.name());
                if arguments.exact && arguments.filter.as_deref() == Some(&name)
                    || !arguments.exact && who == outsider::Who::Single
                {
                    trials.push(trial(name, move || test(&Scene::new())));
                }
            }
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(name: String, test: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        test();
        Ok::<(), Failed>(())
    })
}
