//! `#[storage]`: the struct of a contract's storage fields.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, Fields, ItemStruct, Result};

use crate::{
    attribute::{check_name, docs, name, no_arguments, take_one, text},
    codec::construct,
};

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let parsed = no_arguments("storage", arguments).and_then(|()| syn::parse2(item.clone())).and_then(storage);
    parsed.unwrap_or_else(syn::Error::into_compile_error)
}

fn storage(mut item: ItemStruct) -> Result<TokenStream> {
    if !item.generics.params.is_empty() {
        return Err(Error::new_spanned(&item.generics, "a contract's storage has no type parameters: name the types"));
    }
    if let Fields::Unnamed(fields) = &item.fields {
        return Err(Error::new_spanned(fields, "storage fields have names, which their keys start with: use `{ … }`"));
    }
    let mut descriptors = Vec::new();
    let mut values = Vec::new();
    let mut taken: Vec<String> = Vec::new();
    for field in &mut item.fields {
        let renamed = take_one(&mut field.attrs, "stored_as")?;
        let (ty, doc) = (&field.ty, docs(&field.attrs));
        let name = field.ident.as_ref().map(name).unwrap_or_default();
        check_name(&name, &field.ident)?;
        let stored_as = match &renamed {
            None => name.clone(),
            Some(attribute) => text(attribute, "#[stored_as = \"old_name\"]")?.value(),
        };
        check_name(&stored_as, &renamed)?;
        if taken.contains(&stored_as) {
            return Err(Error::new_spanned(
                &field.ident,
                format!("another field is stored as `{stored_as}`: each needs a name of its own"),
            ));
        }
        values.push(quote!(<#ty as ::rustorium_sdk::StorageField>::at(#stored_as)));
        descriptors.push(quote! {
            ::rustorium_sdk::abi::Storage {
                name: #name,
                stored_as: #stored_as,
                doc: #doc,
                layout: <#ty as ::rustorium_sdk::StorageField>::LAYOUT,
            }
        });
        taken.push(stored_as);
    }
    let ident = &item.ident;
    let (name, doc) = (name(ident), docs(&item.attrs));
    check_name(&name, ident)?;
    let value = construct(&item.fields, &values);
    Ok(quote! {
        #item

        impl ::rustorium_sdk::Storage for #ident {
            const NAME: &'static str = #name;
            const DOC: &'static str = #doc;
            const FIELDS: &'static [::rustorium_sdk::abi::Storage] = &[#(#descriptors),*];

            fn open() -> Self {
                Self #value
            }
        }
    })
}
