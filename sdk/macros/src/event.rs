//! `#[event]`: a struct that a contract emits.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, Fields, ItemStruct, Result};

use crate::{
    attribute::{check_name, docs, missing_derives, name, no_arguments, take_one},
    codec, schema,
};

/// `rustorium_types::limits::INDEXED_FIELDS`.
const INDEXED_FIELDS: usize = 4;

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let parsed = no_arguments("event", arguments).and_then(|()| syn::parse2(item.clone())).and_then(event);
    parsed.unwrap_or_else(syn::Error::into_compile_error)
}

fn event(mut item: ItemStruct) -> Result<TokenStream> {
    if !item.generics.params.is_empty() {
        return Err(Error::new_spanned(&item.generics, "an event has no type parameters: its name means one shape"));
    }
    if let Fields::Unnamed(fields) = &item.fields {
        return Err(Error::new_spanned(fields, "an event's fields have names, by which it is searched: use `{ … }`"));
    }
    let mut fields = Vec::new();
    let mut indexed_fields = 0;
    for (position, field) in item.fields.iter_mut().enumerate() {
        let mark = take_one(&mut field.attrs, "indexed")?;
        indexed_fields += usize::from(mark.is_some());
        if let Some(mark) = mark.as_ref().filter(|_| indexed_fields > INDEXED_FIELDS) {
            return Err(Error::new_spanned(
                mark,
                format!("an event has at most {INDEXED_FIELDS} indexed fields: every node keeps an index of each"),
            ));
        }
        let name = schema::field_name(position, field);
        check_name(&name, &field.ident)?;
        fields.push(schema::field(&name, &field.ty, &docs(&field.attrs), mark.is_some()));
    }
    let ident = &item.ident;
    let (name, doc) = (name(ident), docs(&item.attrs));
    check_name(&name, ident)?;
    let derives = missing_derives(&item.attrs)?;
    let codec = codec::of_struct(&item);
    let descriptor = quote!(&<#ident as ::rustorium_sdk::Event>::EVENT);
    let section = schema::exported(&schema::section(
        &quote!(::rustorium_sdk::abi::event_length(#descriptor)),
        &quote!(::rustorium_sdk::abi::event_section(#descriptor)),
    ));
    Ok(quote! {
        #derives
        #item
        #codec

        impl ::rustorium_sdk::Event for #ident {
            const EVENT: ::rustorium_sdk::abi::Event =
                ::rustorium_sdk::abi::Event { name: #name, doc: #doc, fields: &[#(#fields),*] };
        }

        #section
    })
}
