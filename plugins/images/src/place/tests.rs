use super::Place;

#[test]
fn a_reference_is_taken_apart() {
    for (text, name, tag, digest, last_word) in [
        ("node", "node", None, None, "node"),
        ("node:22", "node", Some("22"), None, "node"),
        ("localhost:5000/base/node", "localhost:5000/base/node", None, None, "node"),
        ("localhost:5000/node:22", "localhost:5000/node", Some("22"), None, "node"),
        ("a.example/node@sha256:ab", "a.example/node", None, Some("sha256:ab"), "node"),
        ("a.example/node:1@sha256:ab", "a.example/node", Some("1"), Some("sha256:ab"), "node"),
        ("oci-layout:images", "oci-layout:images", None, None, "images"),
        ("oci-layout:images:1", "oci-layout:images", Some("1"), None, "images"),
        ("oci-layout:out/node:1", "oci-layout:out/node", Some("1"), None, "node"),
        ("oci-layout:out/node/", "oci-layout:out/node/", None, None, "node"),
        ("oci-archive:out/node.tar:1", "oci-archive:out/node.tar", Some("1"), None, "node"),
        ("oci-archive:a@b.tar@sha256:ab", "oci-archive:a@b.tar", None, Some("sha256:ab"), "a@b"),
        ("docker-archive:out/node.tar", "docker-archive:out/node.tar", None, None, "node"),
        ("docker-archive:a.tar:node:22", "docker-archive:a.tar:node", Some("22"), None, "node"),
        (
            "docker-archive:a.tar:x:5000/node:22@sha256:ab",
            "docker-archive:a.tar:x:5000/node",
            Some("22"),
            Some("sha256:ab"),
            "node",
        ),
        ("docker-archive:a.tar@sha256:ab", "docker-archive:a.tar", None, Some("sha256:ab"), "a"),
        ("", "", None, None, ""),
    ] {
        let place = Place::split(text);
        assert_eq!(place, Place { name, tag, digest }, "{text}");
        assert_eq!(place.last_word(), last_word, "{text}");
    }
}
