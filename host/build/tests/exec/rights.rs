//! Who a command is, and what it may do with files.

use build::exec::{ExecError, Mapping, Network, Step};

use crate::Test;
use crate::scene::Scene;

pub(crate) const TESTS: &[Test] = &[
    ("root_has_the_capabilities_of_a_container", root_has_the_capabilities_of_a_container),
    ("users_of_the_image_have_none", users_of_the_image_have_none),
    ("files_belong_to_whom_they_are_given", files_belong_to_whom_they_are_given),
    ("limits_are_ours", limits_are_ours),
    ("nothing_is_open_but_the_streams", nothing_is_open_but_the_streams),
];

fn root_has_the_capabilities_of_a_container(scene: &Scene) {
    let script = "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status | tr '\\t' ' '";
    let expected = |set: &str| {
        format!(
            "CapInh: 0000000000000000\nCapPrm: {set}\nCapEff: {set}\nCapBnd: {set}\n\
             CapAmb: 0000000000000000\nNoNewPrivs: 1\nSeccomp: 2\n"
        )
    };
    let mut run = scene.script(script);
    assert_eq!(scene.output_of(&run), expected("00000000a80425fb"));
    // The machine's network is not for raw packets.
    run = scene.script(script);
    run.network = Network::Host;
    assert_eq!(scene.output_of(&run), expected("00000000a80405fb"));
}

fn users_of_the_image_have_none(scene: &Scene) {
    let mut run = scene.script(
        "id -u; id -g; id -G; echo $HOME; grep -E '^Cap(Prm|Eff)' /proc/self/status | cut -f2; \
         echo out > /dev/stdout; test -w /etc || echo no",
    );
    run.user = "app".to_owned();
    if *scene.mapping() == (Mapping::Single { why: why(scene) }) {
        let Err(ExecError::Step(failure)) = scene.run(&run) else { panic!("it must not run") };
        let expected = "cannot become user or group 1000: this build has root alone";
        assert_eq!((failure.step, failure.to_string()), (Step::Identity, expected.to_owned()));
        assert!(failure.help().unwrap().contains("uidmap"));
        return;
    }
    let none = "0000000000000000";
    let expected = format!("1000\n1000\n1000 10\n/home/app\n{none}\n{none}\nout\nno\n");
    assert_eq!(scene.output_of(&run), expected);
}

/// Why there is one user only, as the mapping says.
fn why(scene: &Scene) -> String {
    match scene.mapping() {
        Mapping::Single { why } => why.clone(),
        Mapping::Root | Mapping::Full { .. } => String::new(),
    }
}

fn files_belong_to_whom_they_are_given(scene: &Scene) {
    let run = scene.script("touch /file; chown 1000:50 /file 2>&1; stat -c %u:%g /file");
    let outcome = scene.run(&run).unwrap();
    let expected = match scene.mapping() {
        Mapping::Root | Mapping::Full { .. } => "1000:50\n",
        Mapping::Single { .. } => "chown: /file: Invalid argument\n0:0\n",
    };
    assert_eq!(outcome.out, expected);
    let whose = match scene.mapping() {
        Mapping::Root => "root",
        Mapping::Full { ids: 65_537, .. } => "mapped",
        Mapping::Full { .. } => "unexpected",
        Mapping::Single { .. } => "single",
    };
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    assert!(name.is_empty() || name.starts_with(whose) || !name.contains("::"), "{name}: {whose}");
}

fn limits_are_ours(scene: &Scene) {
    let open = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let text = |limit: Option<u64>| limit.map_or("unlimited".to_owned(), |n| n.to_string());
    let expected = format!("{}\n{}\n", text(open.current), text(open.maximum));
    assert_eq!(scene.output("ulimit -S -n; ulimit -H -n"), expected);
}

fn nothing_is_open_but_the_streams(scene: &Scene) {
    // 3 is the listing itself.
    assert_eq!(scene.output("ls /proc/self/fd"), "0\n1\n2\n3\n");
    assert_eq!(scene.output("readlink /proc/self/fd/0"), "/dev/null\n");
}
