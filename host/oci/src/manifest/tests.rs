use super::*;
use report::Kind;

fn digest() -> String {
    Digest::of(b"x").to_string()
}

fn read(media_type: &MediaType, text: &str) -> Result<Manifest, Error> {
    let text = text.replace("DIGEST", &digest());
    Manifest::new(media_type.clone(), Bytes::from(text))
}

const IMAGE: &str = r#"{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"DIGEST","size":1},"layers":[]}"#;

#[test]
fn a_document_with_two_meanings_is_refused() {
    let why = |media_type: &MediaType, text: &str| read(media_type, text).unwrap_err().to_string();
    let both = r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#;
    assert!(why(&MediaType::OCI_INDEX, both).contains("ambiguous"));
    let lie = IMAGE.replace("\"config\"", "\"mediaType\":\"a/b\",\"config\"");
    assert!(why(&MediaType::OCI_MANIFEST, &lie).contains("it says `a/b` but was declared"));
    for garbage in ["", "[]", "{", "{\"layers\":5}", "{\"config\":{\"digest\":\"md5:1\"}}"] {
        assert_eq!(
            read(&MediaType::OCI_MANIFEST, garbage).unwrap_err().kind(),
            Kind::Invalid,
            "{garbage}"
        );
    }
}

#[test]
fn schema_1_is_refused_with_what_to_do() {
    let types = ["manifest.v1+json", "manifest.v1+prettyjws"];
    for media_type in
        types.map(|t| MediaType::new(&format!("application/vnd.docker.distribution.{t}")))
    {
        let error = read(&media_type, "{}").unwrap_err();
        assert!(error.help().unwrap().contains("push the image again"));
    }
    let error =
        read(&MediaType::DOCKER_MANIFEST, r#"{"schemaVersion":1,"fsLayers":[]}"#).unwrap_err();
    assert!(matches!(error, Error::Schema1 { .. }));
}

#[test]
fn what_nobody_declared_follows_from_the_parts() {
    let guess = |text: &str| {
        let bytes = Bytes::from(text.replace("DIGEST", &digest()));
        Manifest::guessed(Digest::of(&bytes), bytes).map(|m| m.media_type().clone())
    };
    assert_eq!(guess(IMAGE).unwrap(), MediaType::OCI_MANIFEST);
    assert_eq!(guess(r#"{"manifests":null}"#).ok(), None);
    assert_eq!(guess(r#"{"manifests":[]}"#).unwrap(), MediaType::OCI_INDEX);
    assert!(guess(r#"{"architecture":"amd64","os":"linux","config":null}"#).is_err());
    assert!(guess("{}").is_err());
}

#[test]
fn an_artifact_says_its_type() {
    let typed = |text: &str| read(&MediaType::OCI_MANIFEST, text).unwrap().artifact_type();
    assert_eq!(typed(IMAGE), None);
    let helm = IMAGE.replace("vnd.oci.image.config.v1+json", "vnd.cncf.helm.config.v1+json");
    assert_eq!(typed(&helm).unwrap().as_str(), "application/vnd.cncf.helm.config.v1+json");
    let said = IMAGE.replace("\"config\"", "\"artifactType\":\"a/b\",\"config\"");
    assert_eq!(typed(&said).unwrap().as_str(), "a/b");
}
