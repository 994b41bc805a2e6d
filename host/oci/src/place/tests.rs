use super::*;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn check(text: &str, name: &str, selector: &str) {
    let place: Place = text.parse().unwrap();
    let found = (place.name(), place.selector().to_string());
    assert_eq!((found.0.as_str(), found.1.as_str()), (name, selector), "{text}");
    assert_eq!(place.to_string().parse::<Place>().unwrap(), place, "{text}");
}

#[test]
fn a_place_is_a_reference_or_a_layout() {
    check("localhost:5000/a/b:1", "localhost:5000/a/b", "1");
    check("node:9-alpine", "docker.io/library/node", "9-alpine");
    check("oci-layout:out", "oci-layout:out", "latest");
    check("oci-layout:./a/b:v1", "oci-layout:./a/b", "v1");
    check("oci-layout:/a:b/c", "oci-layout:/a:b/c", "latest");
    check(&format!("oci-layout:a@b:v1@{DIGEST}"), "oci-layout:a@b", DIGEST);
}

#[test]
fn an_archive_is_written_like_a_layout() {
    check("oci-archive:out.tar", "oci-archive:out.tar", "latest");
    check("oci-archive:./a/b.tar:v1", "oci-archive:./a/b.tar", "v1");
    check(&format!("oci-archive:a.tar@{DIGEST}"), "oci-archive:a.tar", DIGEST);
    check(&format!("oci-archive:a.tar:v1@{DIGEST}"), "oci-archive:a.tar", DIGEST);
}

#[test]
fn an_archive_of_docker_names_its_images() {
    check("docker-archive:a.tar", "docker-archive:a.tar", "latest");
    check("docker-archive:a/b.tar:app", "docker-archive:a/b.tar:docker.io/library/app", "latest");
    check("docker-archive:a.tar:t/app:v1", "docker-archive:a.tar:docker.io/t/app", "v1");
    check(
        "docker-archive:a.tar:localhost:5000/t/app:v1",
        "docker-archive:a.tar:localhost:5000/t/app",
        "v1",
    );
    check(&format!("docker-archive:a.tar@{DIGEST}"), "docker-archive:a.tar", DIGEST);
    check(&format!("docker-archive:a@b.tar@{DIGEST}"), "docker-archive:a@b.tar", DIGEST);
    check(
        &format!("docker-archive:a.tar:x.io/t/app@{DIGEST}"),
        "docker-archive:a.tar:x.io/t/app",
        DIGEST,
    );
}

#[test]
fn other_spellings_are_refused_with_ours() {
    let help = |text: &str| text.parse::<Place>().unwrap_err().help().unwrap();
    assert_eq!(help("oci:dir:v1"), "write `oci-layout:dir:v1`");
    assert_eq!(help("./dir"), "write `oci-layout:./dir`");
    assert_eq!(help("./a.tar"), "write `oci-archive:./a.tar` or `docker-archive:./a.tar`");
    assert_eq!(help("docker://a/b"), "write `a/b`");
    assert_eq!(
        help("docker-daemon:app:v1"),
        "save it with `docker save --output image.tar app:v1`, and write \
         `docker-archive:image.tar:app:v1`"
    );
    assert_eq!(
        help("containers-storage:app:v1"),
        "save it with `podman save --format oci-archive --output image.tar app:v1`, and write \
         `oci-archive:image.tar`"
    );
    assert_eq!(
        help("dir:out"),
        "copy it into a layout with `skopeo copy dir:out oci:layout:v1`, and write \
         `oci-layout:layout:v1`"
    );
    assert!(help("docker-archive:a.tar:@0").contains("by its repository and tag"));
}

#[test]
fn what_names_no_place_is_refused() {
    for text in [
        "oci-layout:",
        "oci-layout::v1",
        "oci-layout:a:b c",
        "oci-layout:a@sha256:12",
        "oci-archive:",
        "oci-archive::v1",
        "oci-archive:a.tar:-",
        "docker-archive:",
        "docker-archive::app:v1",
        "docker-archive:a.tar:",
        "docker-archive:a.tar:App:v1",
        "docker-archive:a.tar:app:v1:v2",
        "docker-archive:a.tar@sha256:12",
        "docker-archive:@sha256:12",
    ] {
        assert!(text.parse::<Place>().is_err(), "{text}");
    }
}
