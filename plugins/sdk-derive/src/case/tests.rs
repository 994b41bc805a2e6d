use super::Case;

#[test]
fn fields_are_renamed_as_serde_renames_them() {
    for (case, expect) in [
        ("lowercase", "media_type"),
        ("UPPERCASE", "MEDIA_TYPE"),
        ("PascalCase", "MediaType"),
        ("camelCase", "mediaType"),
        ("snake_case", "media_type"),
        ("SCREAMING_SNAKE_CASE", "MEDIA_TYPE"),
        ("kebab-case", "media-type"),
        ("SCREAMING-KEBAB-CASE", "MEDIA-TYPE"),
    ] {
        let case = Case::parse(case).expect("a rule of serde's");
        assert_eq!(case.of_field("media_type"), expect);
    }
}

#[test]
fn variants_are_renamed_as_serde_renames_them() {
    for (case, expect) in [
        ("lowercase", "mediatype"),
        ("UPPERCASE", "MEDIATYPE"),
        ("PascalCase", "MediaType"),
        ("camelCase", "mediaType"),
        ("snake_case", "media_type"),
        ("SCREAMING_SNAKE_CASE", "MEDIA_TYPE"),
        ("kebab-case", "media-type"),
        ("SCREAMING-KEBAB-CASE", "MEDIA-TYPE"),
    ] {
        let case = Case::parse(case).expect("a rule of serde's");
        assert_eq!(case.of_variant("MediaType"), expect);
    }
}

#[test]
fn a_rule_that_serde_does_not_know_is_none() {
    assert_eq!(Case::parse("Kebab-Case"), None);
    assert_eq!(Case::Same.of_field("media_type"), "media_type");
}
