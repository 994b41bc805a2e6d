//! What `#[serde(…)]` says of a type, a field or a variant.

use syn::meta::ParseNestedMeta;
use syn::{Attribute, Expr, ExprPath, LitStr, Token, parenthesized};

use crate::case::Case;

/// What stands where a key is not there.
#[derive(Clone)]
pub(crate) enum Fallback {
    /// Nothing: it must be there.
    None,
    /// The type's own default.
    Default,
    /// What this function returns.
    Function(ExprPath),
}

/// The attributes of one type, field or variant, together.
pub(crate) struct SerdeAttribute {
    pub(crate) rename: Option<String>,
    pub(crate) rename_all: Case,
    pub(crate) fallback: Fallback,
    pub(crate) is_skipped: bool,
    pub(crate) is_left_out_sometimes: bool,
}

impl SerdeAttribute {
    /// Reads `attributes`.
    pub(crate) fn parse(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut this = Self {
            rename: None,
            rename_all: Case::Same,
            fallback: Fallback::None,
            is_skipped: false,
            is_left_out_sometimes: false,
        };
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
            attribute.parse_nested_meta(|meta| this.read(&meta))?;
        }
        Ok(this)
    }

    fn read(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
        match name.as_str() {
            "rename" if meta.input.peek(Token![=]) => self.rename = Some(text(meta)?.value()),
            "rename_all" if meta.input.peek(Token![=]) => {
                let rule = text(meta)?;
                self.rename_all = Case::parse(&rule.value())
                    .ok_or_else(|| syn::Error::new(rule.span(), "not a rule that serde knows"))?;
            }
            "default" if meta.input.peek(Token![=]) => {
                self.fallback = Fallback::Function(text(meta)?.parse()?);
            }
            "default" => self.fallback = Fallback::Default,
            "skip" => self.is_skipped = true,
            "skip_serializing_if" => {
                text(meta)?;
                self.is_left_out_sometimes = true;
            }
            // They change nothing about the JSON that the schema tells of.
            "deny_unknown_fields" | "transparent" => {}
            "crate" | "bound" => ignore(meta)?,
            _ => return Err(meta.error(UNSUPPORTED)),
        }
        Ok(())
    }
}

/// Why an attribute is refused, and the way around.
const UNSUPPORTED: &str = "this serde attribute has no schema here; write `impl Schema` for the \
                           type by hand, or use a type that needs no attribute";

fn text(meta: &ParseNestedMeta<'_>) -> syn::Result<LitStr> {
    meta.value()?.parse()
}

fn ignore(meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    if meta.input.peek(Token![=]) {
        meta.value()?.parse::<Expr>()?;
    } else if meta.input.peek(syn::token::Paren) {
        let inside;
        parenthesized!(inside in meta.input);
        inside.parse::<proc_macro2::TokenStream>()?;
    }
    Ok(())
}

/// The doc comment: lines joined, paragraphs kept apart.
pub(crate) fn description(attributes: &[Attribute]) -> String {
    let mut paragraphs = vec![String::new()];
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        let syn::Meta::NameValue(syn::MetaNameValue { value: Expr::Lit(line), .. }) =
            &attribute.meta
        else {
            continue;
        };
        let syn::Lit::Str(line) = &line.lit else { continue };
        for line in line.value().split('\n').map(str::trim) {
            match (line.is_empty(), paragraphs.last_mut()) {
                (false, Some(paragraph)) if paragraph.is_empty() => paragraph.push_str(line),
                (false, Some(paragraph)) => {
                    paragraph.push(' ');
                    paragraph.push_str(line);
                }
                (false, None) | (true, _) => paragraphs.push(String::new()),
            }
        }
    }
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    paragraphs.join("\n\n")
}

#[cfg(test)]
mod tests;
