//! Registries that cannot be asked keep none of the others from being asked.

use support::{Access, Answer, DockerRegistry, HostileRegistry, HttpServer, Mischief};

use super::{change, changes, image, pipeline, push, watch};
use crate::host;

/// Images of a good registry around one of a registry that is not.
fn among(good: &DockerRegistry, broken: &str, more: &str) -> String {
    let good = good.address();
    format!("images = [\"{good}/a:1\", \"{broken}/x:1\", \"{good}/b:1\"]\n{more}")
}

#[test]
fn one_registry_in_trouble_loses_nothing_of_the_others() {
    let registry = DockerRegistry::start(Access::Anonymous);
    for name in ["a:1", "b:1"] {
        push(&image(1), &registry.address(), name);
    }
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let page = || {
        HttpServer::start(|_| {
            Answer::body("<html>sign in</html>").header("content-type", "text/html")
        })
    };
    let (page, hostile) =
        (page(), |status| HostileRegistry::with(&image(1), Mischief::Always(status)));
    let (refused, missing, busy, down) = (hostile(401), hostile(404), hostile(429), hostile(500));
    for (broken, code) in [
        (refused.address(), 4),
        (missing.address(), 1),
        (busy.address(), 5),
        (down.address(), 5),
        (page.address(), 1),
        (silent.to_string(), 5),
    ] {
        let host = host();
        // Armed by a run that fails, as far as it could be.
        host.write("p.toml", pipeline(&among(&registry, &broken, "")));
        let ran = host.run(&["run", "p.toml", "--quiet"]);
        ran.exits(code).stderr_says(&[&format!("check `{broken}/x:1`")]);
        push(&image(2), &registry.address(), "b:1");
        // What has changed is kept by a run that fails.
        host.run(&["run", "p.toml", "--quiet"]).exits(code);
        let told = watch(&host, &among(&registry, &broken, "keep-going = true"));
        let both = [change(0, Some(&image(1)), &image(2)), change(1, Some(&image(1)), &image(2))];
        assert_eq!(changes(&told), both, "{broken}");
        assert_eq!(told["failed"][0]["image"], format!("{broken}/x:1"));
        // With nothing to tell it is a failure again.
        let keeps_going = pipeline(&among(&registry, &broken, "keep-going = true"));
        host.write("p.toml", keeps_going);
        host.run(&["run", "p.toml", "--quiet"]).exits(code);
        push(&image(1), &registry.address(), "b:1");
    }
}

#[test]
fn what_could_not_be_checked_is_told_in_one_error() {
    let registry = DockerRegistry::start(Access::Anonymous);
    push(&image(1), &registry.address(), "a:1");
    let good = registry.address();
    let refused = HostileRegistry::with(&image(1), Mischief::Always(401));
    let (refused, host) = (refused.address(), host());
    let with = format!("images = [\"{good}/a:1\", \"{good}/gone:1\", \"{refused}/x:1\"]");
    host.write("p.toml", pipeline(&with));
    let ran = host.run(&["run", "p.toml", "--quiet"]);
    let (gone, other) = (format!("`{good}/gone:1`: "), format!("`{refused}/x:1`: "));
    ran.exits(1).stderr_says(&["2 of 3 images could not be checked", &gone, &other]);
}
