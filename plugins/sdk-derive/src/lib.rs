//! The derive macros of `windlass-plugin`: from Rust types to the schemas that `describe` gives.
//!
//! `Inputs`, `Outputs` and `Schema` all implement `windlass_plugin::Schema`. They read what serde
//! reads (`rename`, `rename_all`, `default`, `skip`, `skip_serializing_if`, `transparent`), so that
//! the schema and the code cannot drift; a serde attribute that they do not understand is an error
//! rather than a schema that lies.
//!
//! Doc comments become descriptions, defaults become `default`, an `Option` is not required and may
//! be null, an enum of plain names becomes `enum`; keys that are not declared are refused.

mod case;
mod serde_attribute;
mod shape;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

use crate::shape::Purpose;

/// Describes the inputs of a step: a struct with named fields that derives `Deserialize`.
///
/// The type of a field with a default must also implement `Serialize`, since the default is shown.
#[proc_macro_derive(Inputs, attributes(serde))]
pub fn inputs(item: TokenStream) -> TokenStream {
    derive(&parse_macro_input!(item as DeriveInput), Purpose::Inputs)
}

/// Describes the outputs of a step: a struct with named fields that derives `Serialize`.
#[proc_macro_derive(Outputs, attributes(serde))]
pub fn outputs(item: TokenStream) -> TokenStream {
    derive(&parse_macro_input!(item as DeriveInput), Purpose::Outputs)
}

/// Describes a part of inputs or outputs: a struct, or an enum of plain names.
#[proc_macro_derive(Schema, attributes(serde))]
pub fn schema(item: TokenStream) -> TokenStream {
    derive(&parse_macro_input!(item as DeriveInput), Purpose::Part)
}

fn derive(item: &DeriveInput, purpose: Purpose) -> TokenStream {
    shape::expand(item, purpose).unwrap_or_else(|error| error.to_compile_error()).into()
}
