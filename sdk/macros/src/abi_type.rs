//! `#[abi]`: structs and enums as ABI types.
//!
//! | item | in the ABI |
//! |---|---|
//! | struct with named fields, enum | a named type |
//! | struct with type parameters | a record of its fields, for a name would mean several types |
//! | tuple struct of one field | that field's type, as its encoding is |
//! | tuple struct of several fields | a tuple |

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, Fields, GenericParam, Generics, Item, ItemEnum, ItemStruct, Result, spanned::Spanned};

use crate::{
    attribute::{check_name, docs, missing_derives, name, words},
    codec, schema,
};

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let parsed = syn::parse2::<Item>(item.clone()).and_then(|item| match item {
        Item::Struct(item) => of_struct(&item, is_key(arguments)?),
        Item::Enum(item) => of_enum(&item, is_key(arguments)?),
        other => Err(Error::new(other.span(), "`#[abi]` marks a struct or an enum")),
    });
    parsed.unwrap_or_else(|error| {
        let error = error.into_compile_error();
        quote!(#error #item)
    })
}

fn is_key(arguments: TokenStream) -> Result<bool> {
    Ok(!words(arguments, &["key"])?.is_empty())
}

fn of_struct(item: &ItemStruct, is_key: bool) -> Result<TokenStream> {
    let generics = bounded(&item.generics)?;
    let bounded = ItemStruct { generics, ..item.clone() };
    let types: Vec<_> = item.fields.iter().map(|field| &field.ty).collect();
    let ty = match (&item.fields, &types[..]) {
        (Fields::Unnamed(_), [one]) => quote!(<#one as ::rustorium_sdk::abi::AbiType>::TYPE),
        (Fields::Unnamed(_), _) => quote! {
            ::rustorium_sdk::abi::Type::Tuple(&[#(<#types as ::rustorium_sdk::abi::AbiType>::TYPE),*])
        },
        _ => {
            let fields = schema::fields(&item.fields)?;
            if item.generics.params.is_empty() {
                named(&item.ident, &docs(&item.attrs), &quote!(Struct(&[#(#fields),*])))?
            } else {
                quote!(::rustorium_sdk::abi::Type::Record(&[#(#fields),*]))
            }
        }
    };
    let derives = missing_derives(&item.attrs)?;
    let codec = codec::of_struct(&bounded);
    let key = is_key.then(|| {
        let (pattern, bound) = codec::pattern(&item.fields);
        key(
            &item.ident,
            &bounded.generics,
            &quote!(let Self #pattern = self; #(::rustorium_sdk::StorageKey::encode_key(#bound, out);)*),
        )
    });
    let implementation = implement(&item.ident, &bounded.generics, &ty);
    Ok(quote!(#derives #item #codec #implementation #key))
}

fn of_enum(item: &ItemEnum, is_key: bool) -> Result<TokenStream> {
    if !item.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &item.generics,
            "an enum of the ABI has a name, which cannot mean several types: remove the parameters",
        ));
    }
    if item.variants.is_empty() || item.variants.len() > 256 {
        return Err(Error::new_spanned(&item.ident, "an enum of the ABI has 1 to 256 variants"));
    }
    let mut variants = Vec::new();
    let mut key_arms = Vec::new();
    for (number, variant) in item.variants.iter().enumerate() {
        if let Some((_, value)) = &variant.discriminant {
            return Err(Error::new_spanned(
                value,
                "variants of the ABI are numbered by their order: remove this number",
            ));
        }
        let ident = &variant.ident;
        let fields = schema::fields(&variant.fields)?;
        check_name(&name(ident), ident)?;
        variants.push(schema::variant(&name(ident), &docs(&variant.attrs), "", &quote!(&[#(#fields),*])));
        let (pattern, bound) = codec::pattern(&variant.fields);
        let number = number as u8;
        key_arms.push(quote!(Self::#ident #pattern => { ::rustorium_sdk::StorageKey::encode_key(&#number, out); #(::rustorium_sdk::StorageKey::encode_key(#bound, out);)* }));
    }
    let ty = named(&item.ident, &docs(&item.attrs), &quote!(Enum(&[#(#variants),*])))?;
    let derives = missing_derives(&item.attrs)?;
    let codec = codec::of_enum(item);
    let key = is_key.then(|| key(&item.ident, &item.generics, &quote!(match self { #(#key_arms)* })));
    let implementation = implement(&item.ident, &item.generics, &ty);
    Ok(quote!(#derives #item #codec #implementation #key))
}

fn named(ident: &syn::Ident, doc: &str, shape: &TokenStream) -> Result<TokenStream> {
    let name = name(ident);
    check_name(&name, ident)?;
    Ok(quote! {
        ::rustorium_sdk::abi::Type::Named(&::rustorium_sdk::abi::Definition {
            name: #name,
            doc: #doc,
            shape: ::rustorium_sdk::abi::Shape::#shape,
        })
    })
}

/// Type parameters are ABI types themselves.
fn bounded(generics: &Generics) -> Result<Generics> {
    let mut bounded = generics.clone();
    for parameter in &mut bounded.params {
        match parameter {
            GenericParam::Type(parameter) => parameter.bounds.push(syn::parse_quote!(::rustorium_sdk::abi::AbiType)),
            GenericParam::Const(_) => {}
            GenericParam::Lifetime(lifetime) => {
                return Err(Error::new_spanned(
                    lifetime,
                    "values of the ABI own what they hold: use `String` for `&str`, `Vec<T>` for `&[T]`",
                ));
            }
        }
    }
    Ok(bounded)
}

fn implement(ident: &syn::Ident, generics: &Generics, ty: &TokenStream) -> TokenStream {
    let (parameters, arguments, conditions) = generics.split_for_impl();
    quote! {
        impl #parameters ::rustorium_sdk::abi::AbiType for #ident #arguments #conditions {
            const TYPE: ::rustorium_sdk::abi::Type = #ty;

            fn absent() -> ::core::option::Option<Self> {
                // The type's `Default` if it has one, else `None`.
                #[allow(unused_imports)]
                use ::rustorium_sdk::__private::WithoutDefault as _;
                ::rustorium_sdk::__private::DefaultOf::<Self>::NEW.get()
            }
        }
    }
}

fn key(ident: &syn::Ident, generics: &Generics, body: &TokenStream) -> TokenStream {
    let mut keyed = generics.clone();
    for parameter in keyed.type_params_mut() {
        parameter.bounds.push(syn::parse_quote!(::rustorium_sdk::StorageKey));
    }
    let (parameters, arguments, conditions) = keyed.split_for_impl();
    quote! {
        impl #parameters ::rustorium_sdk::StorageKey for #ident #arguments #conditions {
            fn encode_key(&self, out: &mut ::std::vec::Vec<u8>) {
                #body
            }
        }
    }
}
