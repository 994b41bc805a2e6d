//! The implementation of `Schema` for one type.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DataEnum, DeriveInput, Field, Fields, FieldsNamed, Ident, Type};

use crate::serde_attribute::{Fallback, SerdeAttribute, description};

/// What the type is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Inputs,
    Outputs,
    Part,
}

/// `impl Schema for …`.
pub(crate) fn expand(item: &DeriveInput, purpose: Purpose) -> syn::Result<TokenStream> {
    let name = &item.ident;
    let attribute = SerdeAttribute::parse(&item.attrs)?;
    let shape = match &item.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => object(item, &attribute, fields, purpose)?,
            Fields::Unnamed(_) | Fields::Unit if purpose != Purpose::Part => {
                return Err(not_an_object(name));
            }
            Fields::Unnamed(fields) => match fields.unnamed.first() {
                Some(Field { ty, .. }) if fields.unnamed.len() == 1 => {
                    quote!(<#ty as ::windlass_plugin::Schema>::shape())
                }
                _ => return Err(syn::Error::new_spanned(name, "a tuple has no schema here")),
            },
            Fields::Unit => return Err(syn::Error::new_spanned(name, "nothing to describe")),
        },
        Data::Enum(_) if purpose != Purpose::Part => return Err(not_an_object(name)),
        Data::Enum(data) => one_of(&attribute, data)?,
        Data::Union(_) => return Err(syn::Error::new_spanned(name, "a union is no JSON")),
    };
    let (generics, arguments, bounds) = item.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #generics ::windlass_plugin::Schema for #name #arguments #bounds {
            fn shape() -> ::windlass_plugin::schema::Shape {
                #shape
            }
        }
    })
}

fn not_an_object(name: &Ident) -> syn::Error {
    let message =
        "inputs and outputs are structs with named fields; derive `Schema` for their parts";
    syn::Error::new_spanned(name, message)
}

fn object(
    item: &DeriveInput,
    attribute: &SerdeAttribute,
    named: &FieldsNamed,
    purpose: Purpose,
) -> syn::Result<TokenStream> {
    let mut fields = Vec::new();
    for declared in &named.named {
        fields.extend(field(declared, attribute, purpose)?);
    }
    let defaults = match attribute.fallback {
        Fallback::None => quote!(),
        Fallback::Default => {
            quote!(let defaults = <Self as ::core::default::Default>::default();)
        }
        Fallback::Function(ref function) => quote!(let defaults: Self = #function();),
    };
    let description = description(&item.attrs);
    Ok(quote! {
        #defaults
        ::windlass_plugin::schema::Shape::Object(::windlass_plugin::schema::Object {
            description: #description,
            fields: ::std::vec![#(#fields),*],
        })
    })
}

fn field(
    field: &Field,
    container: &SerdeAttribute,
    purpose: Purpose,
) -> syn::Result<Option<TokenStream>> {
    let attribute = SerdeAttribute::parse(&field.attrs)?;
    let Some(ident) = field.ident.as_ref().filter(|_| !attribute.is_skipped) else {
        return Ok(None);
    };
    let plain = ident.to_string();
    let plain = plain.trim_start_matches("r#");
    let name = attribute.rename.unwrap_or_else(|| container.rename_all.of_field(plain));
    let description = description(&field.attrs);
    let ty = &field.ty;
    let has_default =
        !matches!((&attribute.fallback, &container.fallback), (Fallback::None, Fallback::None));
    let is_required = !is_option(ty)
        && !attribute.is_left_out_sometimes
        && (purpose == Purpose::Outputs || !has_default);
    // An absent `Option` is none with and without a default; null would say nothing.
    let default = if purpose == Purpose::Outputs || is_option(ty) {
        quote!(::core::option::Option::None)
    } else {
        match (attribute.fallback, &container.fallback) {
            (Fallback::Default, _) => quote!(::windlass_plugin::schema::default_text(
                &<#ty as ::core::default::Default>::default()
            )),
            (Fallback::Function(function), _) => {
                quote!(::windlass_plugin::schema::default_text::<#ty>(&#function()))
            }
            (Fallback::None, Fallback::None) => quote!(::core::option::Option::None),
            (Fallback::None, Fallback::Default | Fallback::Function(_)) => {
                quote!(::windlass_plugin::schema::default_text(&defaults.#ident))
            }
        }
    };
    Ok(Some(quote! {
        ::windlass_plugin::schema::Field {
            name: #name,
            description: #description,
            is_required: #is_required,
            default: #default,
            shape: <#ty as ::windlass_plugin::Schema>::shape(),
        }
    }))
}

fn one_of(attribute: &SerdeAttribute, data: &DataEnum) -> syn::Result<TokenStream> {
    let mut texts = Vec::new();
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            let message = "only an enum of plain names has a schema here";
            return Err(syn::Error::new_spanned(variant, message));
        }
        let own = SerdeAttribute::parse(&variant.attrs)?;
        if !own.is_skipped {
            let name = variant.ident.to_string();
            texts.push(own.rename.unwrap_or_else(|| attribute.rename_all.of_variant(&name)));
        }
    }
    Ok(quote!(::windlass_plugin::schema::Shape::OneOf(::std::vec![#(#texts),*])))
}

/// Whether `ty` is written as an `Option`; serde's derive looks at the same.
fn is_option(ty: &Type) -> bool {
    let Type::Path(path) = ty else { return false };
    path.path.segments.last().is_some_and(|segment| segment.ident == "Option")
}

#[cfg(test)]
mod tests;
