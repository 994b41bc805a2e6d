//! What a build may read: its context, and nothing else.

use support::str;

use super::Workshop;

#[test]
fn what_a_context_would_send_is_listed_without_building() {
    let host = crate::host()
        .file("app/.dockerignore", "**/.env\n/build\ndocs/\n*.log\n!keep.log\n")
        .file("app/.env", "SECRET=1")
        .file("app/deep/.env", "SECRET=1")
        .file("app/build/out", "")
        .file("app/docs/a", "")
        .file("app/main.c", "int main;")
        .file("app/keep.log", "")
        .file("app/drop.log", "");
    host.run(&["build", "context", "app"]).exits(0).stdout_is(str![[r#"
        37  .dockerignore
         0  deep
         0  keep.log
         9  main.c

"#]]);
    host.run(&["build", "context", "app", "--ignored"]).exits(0).stdout_is(str![[r#"
.env  .dockerignore:1: **/.env
build  .dockerignore:2: /build
deep/.env  .dockerignore:1: **/.env
docs  .dockerignore:3: docs/
drop.log  .dockerignore:4: *.log

"#]]);
}

#[test]
fn a_context_is_packed_without_what_is_ignored() {
    let host = crate::host()
        .file("app/.dockerignore", "**/.env\nDockerfile\n")
        .file("app/Dockerfile", "FROM scratch\nCOPY deep /\n")
        .file("app/deep/.env", "SECRET=1")
        .file("app/deep/main.c", "int main;");
    let seen = host.run(&["build", "context", "app", "--output", "ctx.tgz", "--format", "json"]);
    let packed: serde_json::Value = serde_json::from_str(&seen.exits(0).stdout).unwrap();
    assert_eq!(packed["bytes"], std::fs::metadata(host.path("ctx.tgz")).unwrap().len());
    let again = host.run(&["build", "context", "app", "-o", "again.tgz"]);
    assert_eq!(again.exits(0).stdout.trim(), packed["digest"], "the same files, the same bytes");
    // It is a context itself, and has its Dockerfile.
    let shop = Workshop::new();
    std::fs::copy(host.path("ctx.tgz"), shop.host.path("ctx.tgz")).unwrap();
    shop.build("context = \"ctx.tgz\"");
    let refused = host.run(&["build", "context", "app", "-o", "none/ctx.tgz"]);
    refused.exits(1).stderr_says(&["cannot write `none/ctx.tgz`"]);
}

#[test]
fn no_path_leaves_the_context() {
    let shop = Workshop::new();
    shop.host.write("outside", "secret");
    for (copy, link) in [
        ("../outside", None),
        ("link", Some("../outside")),
        ("link", Some("/etc/hostname")),
        ("dir/file", Some("..")),
    ] {
        let folder = shop.host.path("ctx");
        let _ = std::fs::remove_dir_all(&folder);
        shop.host.write("ctx/Dockerfile", format!("FROM scratch\nCOPY {copy} /got\n"));
        if let Some(target) = link {
            let name = copy.split('/').next().unwrap();
            std::os::unix::fs::symlink(target, folder.join(name)).unwrap();
        }
        let ran = shop.try_build("context = \"ctx\"");
        assert_ne!(ran.code, Some(0), "{copy}: {}", ran.account());
        assert!(!ran.stdout.contains("\"kind\":\"internal\""), "{}", ran.account());
    }
}

#[test]
fn a_context_that_was_not_granted_is_not_read() {
    let shop = Workshop::new();
    shop.host.write("ctx/Dockerfile", "FROM scratch\nCOPY . /\n");
    shop.host.write("other/file", "");
    let pipeline = shop.pipeline("context = \"ctx\"");
    shop.host.write(
        "p.toml",
        format!("{pipeline}\n[step.grant]\nworkspace = {{ read = [\"other\"] }}\n"),
    );
    shop.host.run(&["run", "p.toml"]).exits(3);
}

#[test]
fn a_build_in_azure_needs_somebody_to_build_for() {
    let shop = Workshop::new();
    shop.host.write("ctx/Dockerfile", "FROM scratch\n");
    let ran = shop.try_build("context = \"ctx\"\nbuilder = \"acr-tasks\"");
    ran.exits(1);
    let fault = ran.finished("build")["fault"].to_string();
    assert!(fault.contains("identity") && fault.contains("builder = \\\"local\\\""), "{fault}");
    let ran = shop.try_build("context = \"ctx\"\nrun-timeout = \"1h\"");
    ran.exits(1);
    shop.build("context = \"ctx\"\nbuilder = \"local\"");
}

#[test]
fn a_dockerfile_may_stand_in_the_pipeline() {
    let shop = Workshop::new();
    shop.host.write("ctx/one", "1");
    let with = format!(
        "context = \"ctx\"\ndockerfile = \"\"\"\nFROM {}\nCOPY one /one\nRUN [ \"$(cat /one)\" = 1 ]\n\"\"\"",
        shop.base()
    );
    assert_eq!(shop.build(&with)["steps"]["done"], 2);
}
