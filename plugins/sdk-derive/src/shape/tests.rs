use syn::{DeriveInput, parse_quote};

use super::{Purpose, expand};

fn refusal(item: &DeriveInput, purpose: Purpose) -> String {
    expand(item, purpose).expect_err("a refusal").to_string()
}

#[test]
fn inputs_and_outputs_are_objects() {
    let expect =
        "inputs and outputs are structs with named fields; derive `Schema` for their parts";
    assert_eq!(
        refusal(
            &parse_quote!(
                struct A(String);
            ),
            Purpose::Inputs
        ),
        expect
    );
    assert_eq!(
        refusal(
            &parse_quote!(
                enum A {
                    B,
                }
            ),
            Purpose::Outputs
        ),
        expect
    );
}

#[test]
fn what_has_no_schema_says_so() {
    let part = Purpose::Part;
    assert_eq!(
        refusal(
            &parse_quote!(
                enum A {
                    B(String),
                }
            ),
            part
        ),
        "only an enum of plain names has a schema here"
    );
    assert_eq!(
        refusal(
            &parse_quote!(
                struct A(String, u8);
            ),
            part
        ),
        "a tuple has no schema here"
    );
    assert_eq!(
        refusal(
            &parse_quote!(
                struct A;
            ),
            part
        ),
        "nothing to describe"
    );
    assert_eq!(refusal(&parse_quote!(union A { a: u8 }), part), "a union is no JSON");
}
