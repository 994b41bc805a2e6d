use syn::parse_quote;

use super::{Fallback, SerdeAttribute, description};

#[test]
fn what_serde_is_told_is_read() {
    let attribute = SerdeAttribute::parse(&[
        parse_quote!(#[serde(rename = "media-type", default = "crate::octets")]),
        parse_quote!(#[serde(skip_serializing_if = "Option::is_none", bound = "T: Copy")]),
        parse_quote!(#[derive(Debug)]),
    ])
    .expect("known attributes");
    assert_eq!(attribute.rename.as_deref(), Some("media-type"));
    assert!(attribute.is_left_out_sometimes);
    assert!(!attribute.is_skipped);
    assert!(matches!(attribute.fallback, Fallback::Function(_)));
}

#[test]
fn an_attribute_without_a_schema_is_refused() {
    for attribute in [
        parse_quote!(#[serde(flatten)]),
        parse_quote!(#[serde(untagged)]),
        parse_quote!(#[serde(with = "hex")]),
        parse_quote!(#[serde(rename(serialize = "a", deserialize = "b"))]),
    ] {
        let error = SerdeAttribute::parse(&[attribute]).err().expect("a refusal");
        assert!(error.to_string().starts_with("this serde attribute has no schema here"));
    }
}

#[test]
fn an_unknown_rule_is_refused() {
    let error = SerdeAttribute::parse(&[parse_quote!(#[serde(rename_all = "kebab")])]);
    assert_eq!(error.err().expect("a refusal").to_string(), "not a rule that serde knows");
}

#[test]
fn a_doc_comment_keeps_its_paragraphs_and_loses_its_line_breaks() {
    let attributes = [
        parse_quote!(#[doc = " One line"]),
        parse_quote!(#[doc = " and its end."]),
        parse_quote!(#[doc = ""]),
        parse_quote!(#[doc = " Another."]),
    ];
    assert_eq!(description(&attributes), "One line and its end.\n\nAnother.");
    assert_eq!(description(&[]), "");
}
