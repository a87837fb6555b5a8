//! `#[error]`: an enum of a contract's own errors.
//!
//! The added variant `CallFailed` holds what the SDK knows of a failed call, flattened in the ABI: `borsh` of
//! a variant with one field is `borsh` of that field.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Error, Fields, Ident, ItemEnum, LitStr, Result, Variant};

use crate::{
    attribute::{check_name, docs, missing_derives, name, no_arguments, take_one, text},
    codec, schema,
};

/// The variant that is added, and its sentence.
const CALL_FAILED: &str = "CallFailed";
const CALL_FAILED_DOC: &str = "A call of another contract failed.";
const CALL_FAILED_MESSAGE: &str = "`{method}` of another contract failed: {code}";

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let parsed = no_arguments("error", arguments).and_then(|()| syn::parse2(item.clone())).and_then(error);
    parsed.unwrap_or_else(syn::Error::into_compile_error)
}

fn error(mut item: ItemEnum) -> Result<TokenStream> {
    if !item.generics.params.is_empty() {
        return Err(Error::new_spanned(&item.generics, "an error has no type parameters: its name means one shape"));
    }
    let mut messages = Vec::new();
    for variant in &mut item.variants {
        messages.push(message(variant)?);
    }
    let (mut descriptors, mut names, mut fields, mut decoders, mut sentences) =
        (vec![], vec![], vec![], vec![], vec![]);
    for (variant, message) in item.variants.iter().zip(&messages) {
        let ident = &variant.ident;
        let name = name(ident);
        check_name(&name, ident)?;
        if name == CALL_FAILED {
            return Err(Error::new_spanned(ident, "`#[error]` adds this variant: remove it, or give it another name"));
        }
        let field_descriptors = schema::fields(&variant.fields)?;
        let text = message.as_ref().map(LitStr::value).unwrap_or_default();
        descriptors.push(schema::variant(&name, &docs(&variant.attrs), &text, &quote!(&[#(#field_descriptors),*])));
        names.push(quote!(Self::#ident { .. } => #name,));
        let (pattern, bound) = codec::pattern(&variant.fields);
        let write = codec::write_fields(&bound);
        fields.push(quote!(Self::#ident #pattern => { #write }));
        let read = codec::read_fields(&variant.fields);
        decoders.push(quote!(#name => Self::#ident #read,));
        sentences.push(sentence(variant, message.as_ref()));
    }
    let added = Ident::new(CALL_FAILED, Span::call_site());
    descriptors.push(schema::variant(
        CALL_FAILED,
        CALL_FAILED_DOC,
        CALL_FAILED_MESSAGE,
        &quote!(::rustorium_sdk::CallFailed::FIELDS),
    ));
    item.variants.push(syn::parse_quote!(#[doc = #CALL_FAILED_DOC] #added(::rustorium_sdk::CallFailed)));
    let ident = &item.ident;
    let derives = missing_derives(&item.attrs)?;
    Ok(quote! {
        #derives
        #item

        impl ::rustorium_sdk::ContractError for #ident {
            const VARIANTS: &'static [::rustorium_sdk::abi::Variant] = &[#(#descriptors),*];

            fn name(&self) -> &'static str {
                match self {
                    #(#names)*
                    Self::#added(_) => #CALL_FAILED,
                }
            }

            fn write_fields<Out: ::rustorium_sdk::__private::borsh::io::Write>(
                &self,
                out: &mut Out,
            ) -> ::rustorium_sdk::__private::borsh::io::Result<()> {
                match self {
                    #(#fields)*
                    Self::#added(failed) => ::rustorium_sdk::__private::borsh::BorshSerialize::serialize(failed, out)?,
                }
                Ok(())
            }

            fn read_fields<In: ::rustorium_sdk::__private::borsh::io::Read>(
                name: &str,
                input: &mut In,
            ) -> ::rustorium_sdk::__private::borsh::io::Result<Self> {
                Ok(match name {
                    #(#decoders)*
                    #CALL_FAILED => Self::#added(::rustorium_sdk::__private::borsh::BorshDeserialize::deserialize_reader(input)?),
                    _ => return Err(::rustorium_sdk::__private::borsh::io::ErrorKind::InvalidData.into()),
                })
            }
        }

        impl ::core::fmt::Display for #ident {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                match self {
                    #(#sentences)*
                    Self::#added(failed) => ::core::fmt::Display::fmt(failed, f),
                }
            }
        }

        impl ::core::error::Error for #ident {}

        impl ::core::convert::From<::rustorium_sdk::CallFailed> for #ident {
            fn from(failed: ::rustorium_sdk::CallFailed) -> Self {
                Self::#added(failed)
            }
        }
    })
}

/// Takes the sentence of a variant, whose `{…}` must be its fields.
fn message(variant: &mut Variant) -> Result<Option<LitStr>> {
    const EXAMPLE: &str = "#[message(\"needs {needed}, has {available}\")]";
    let Some(attribute) = take_one(&mut variant.attrs, "message")? else { return Ok(None) };
    let message = match &attribute.meta {
        syn::Meta::List(list) => list.parse_args::<LitStr>(),
        _ => text(&attribute, EXAMPLE),
    };
    let message = message.map_err(|_| Error::new_spanned(&attribute, format!("expected `{EXAMPLE}`")))?;
    let fields: Vec<String> =
        variant.fields.iter().enumerate().map(|(position, field)| schema::field_name(position, field)).collect();
    for part in parts(&message)? {
        if let Part::Field(name) = part
            && !fields.contains(&name)
        {
            let known = fields.iter().map(|field| format!("`{field}`")).collect::<Vec<_>>().join(", ");
            let hint = if fields.is_empty() { "the variant has none".into() } else { format!("there is {known}") };
            return Err(Error::new(message.span(), format!("the variant has no field `{name}`: {hint}")));
        }
    }
    Ok(Some(message))
}

enum Part {
    Text(String),
    Field(String),
}

/// A sentence in parts: what is in braces, and what is not.
fn parts(message: &LitStr) -> Result<Vec<Part>> {
    let text = message.value();
    let mut rest = text.as_str();
    let mut parts = Vec::new();
    while let Some(start) = rest.find(['{', '}']) {
        parts.push(Part::Text(rest[..start].to_owned()));
        let field = rest[start..].strip_prefix('{').and_then(|behind| behind.split_once('}'));
        let Some((name, behind)) = field.filter(|(name, _)| !name.contains('{')) else {
            return Err(Error::new(message.span(), "braces stand around the names of fields, in pairs"));
        };
        parts.push(Part::Field(name.to_owned()));
        rest = behind;
    }
    parts.push(Part::Text(rest.to_owned()));
    Ok(parts)
}

/// Shows a variant: its sentence, else what `Debug` shows.
fn sentence(variant: &Variant, message: Option<&LitStr>) -> TokenStream {
    let ident = &variant.ident;
    let Some(parts) = message.and_then(|message| parts(message).ok()) else {
        return quote!(Self::#ident { .. } => ::core::fmt::Debug::fmt(self, f),);
    };
    let (pattern, bound) = codec::pattern(&variant.fields);
    let position = |name: &str| match &variant.fields {
        Fields::Named(fields) => {
            fields.named.iter().position(|field| field.ident.as_ref().is_some_and(|one| one == name))
        }
        _ => name.parse().ok(),
    };
    let steps = parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(quote!(f.write_str(#text)?;)),
        Part::Field(name) => position(name)
            .and_then(|position| bound.get(position))
            .map(|field| quote!(f.write_str(&::rustorium_sdk::__private::Shown(#field).text())?;)),
    });
    quote! {
        #[allow(unused_variables)]
        Self::#ident #pattern => {
            #[allow(unused_imports)]
            use ::rustorium_sdk::__private::ShownByDebug as _;
            #(#steps)*
            Ok(())
        }
    }
}
