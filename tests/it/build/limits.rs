//! What a build must not do, and how it says no.

use super::Workshop;

#[test]
fn a_command_that_fails_shows_its_line_its_output_and_its_code() {
    let shop = Workshop::new();
    let dockerfile =
        format!("FROM {}\n\nRUN echo before && \\\n    ls /nowhere && false\n", shop.base());
    shop.host.write("ctx/Dockerfile", dockerfile);
    shop.host.write("p.toml", shop.pipeline("context = \"ctx\""));
    let ran = shop.host.run(&["run", "p.toml"]);
    ran.exits(1).stderr_says(&["Dockerfile:3:1", "exit code", "ls: /nowhere: No such file"]);
}

#[test]
fn commands_need_a_grant_and_their_network_another() {
    let shop = Workshop::new();
    shop.host.write("ctx/Dockerfile", format!("FROM {}\nRUN true\n", shop.base()));
    let pipeline = shop.pipeline("context = \"ctx\"");
    let grant = |exec: &str| {
        let oci = format!("oci = {{ pull = [\"{}/**\"] }}", shop.registry());
        let text = format!(
            "{pipeline}\n[step.grant]\nworkspace = {{ read = [\"ctx\"] }}\n{oci}\n{exec}\n"
        );
        shop.host.write("p.toml", text);
        shop.host.run(&["run", "p.toml"])
    };
    grant("").exits(3).stderr_says(&["exec.run", "Dockerfile:2:1"]);
    grant("exec = { run = true }").exits(0);
    shop.host.write("ctx/Dockerfile", format!("FROM {}\nRUN --network=host true\n", shop.base()));
    grant("exec = { run = true }").exits(3).stderr_says(&["exec.network"]);
    grant("exec = { run = true, network = true }").exits(0);
}

#[test]
fn a_base_that_is_not_named_is_not_pulled() {
    let shop = Workshop::new();
    shop.host.write("ctx/Dockerfile", format!("FROM {}\n", shop.base()));
    shop.host
        .write("p.toml", shop.pipeline("context = \"ctx\"\nbases = [\"docker.io/library/*\"]"));
    shop.host.run(&["run", "p.toml"]).exits(3).stderr_says(&["bases = [", "base/busybox"]);
}

#[test]
fn a_hanging_command_ends_with_the_step() {
    let shop = Workshop::new();
    let marker = format!("sleep 98{}", std::process::id());
    shop.host.write("ctx/Dockerfile", format!("FROM {}\nRUN {marker} & {marker}\n", shop.base()));
    let pipeline = shop.pipeline("context = \"ctx\"");
    let pipeline =
        pipeline.replace("uses = \"build-image\"", "uses = \"build-image\"\ntimeout = \"2s\"");
    shop.host.write("p.toml", pipeline);
    shop.host.run(&["run", "p.toml"]).exits(124);
    support::poll("the command is gone", || {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
        let is_left = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
        (!is_left.into_iter().any(|line| line.starts_with(&marker))).then_some(())
    });
}

#[test]
fn a_secret_is_in_no_layer_no_history_and_no_log() {
    let shop = Workshop::new();
    let dockerfile = format!(
        "FROM {}\nRUN --mount=type=secret,id=token --mount=type=secret,id=token,env=TOKEN cat /run/secrets/token && echo $TOKEN > /kept && rm /kept\n",
        shop.base()
    );
    shop.host.write("ctx/Dockerfile", dockerfile);
    let place = "oci-layout:out:1";
    shop.host.write(
        "p.toml",
        shop.pipeline(&format!(
            "context = \"ctx\"\nsecrets = [\"token\"]\ncompression = \"none\"\ntags = [{place:?}]"
        )),
    );
    let ran = shop.host.run(&["run", "p.toml", "--format", "json", "-v"]);
    ran.exits(0);
    assert!(!ran.stdout.contains("s3cr3t") && !ran.stderr.contains("s3cr3t"), "{}", ran.account());
    let mut folders = vec![shop.host.path("out")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                assert!(!bytes.windows(6).any(|six| six == b"s3cr3t"), "{}", path.display());
            }
        }
    }
}

#[test]
fn a_wrong_dockerfile_is_refused_with_all_its_problems() {
    let shop = Workshop::new();
    shop.host
        .write("ctx/Dockerfile", "FORM scratch\nCOPY a\nRUN --mount=type=bnd,target=/x true\n");
    shop.host.write("p.toml", shop.pipeline("context = \"ctx\""));
    let ran = shop.host.run(&["run", "p.toml"]);
    ran.exits(1).stderr_says(&["Dockerfile:1:1", "`FROM`", "Dockerfile:2:", "Dockerfile:3:"]);
}
