//! `borsh` of structs and enums: fields in order, an enum's after the variant's number.
//!
//! Written out here instead of deriving, so that a contract's manifest names no crate but the SDK.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::{Fields, Generics, ItemEnum, ItemStruct};

/// Binds all fields of a value to `field_0`, `field_1` …: the pattern, and the names.
pub(crate) fn pattern(fields: &Fields) -> (TokenStream, Vec<Ident>) {
    let bound: Vec<Ident> = (0..fields.len()).map(|position| format_ident!("field_{position}")).collect();
    (construct(fields, &bound.iter().map(|name| quote!(#name)).collect::<Vec<_>>()), bound)
}

/// What stands behind a struct's or variant's name to make it of values, or to match it.
pub(crate) fn construct(fields: &Fields, values: &[TokenStream]) -> TokenStream {
    match fields {
        Fields::Named(fields) => {
            let names = fields.named.iter().map(|field| &field.ident);
            quote!({ #(#names: #values),* })
        }
        Fields::Unnamed(_) => quote!((#(#values),*)),
        Fields::Unit => TokenStream::new(),
    }
}

/// Reads each field from `input`.
pub(crate) fn read_fields(fields: &Fields) -> TokenStream {
    let values = fields.iter().map(|field| {
        let ty = &field.ty;
        quote!(<#ty as ::rustorium_sdk::__private::borsh::BorshDeserialize>::deserialize_reader(input)?)
    });
    construct(fields, &values.collect::<Vec<_>>())
}

/// Writes bound fields to `out`.
pub(crate) fn write_fields(bound: &[Ident]) -> TokenStream {
    quote! {
        #(::rustorium_sdk::__private::borsh::BorshSerialize::serialize(#bound, out)?;)*
    }
}

pub(crate) fn of_struct(item: &ItemStruct) -> TokenStream {
    let (pattern, bound) = pattern(&item.fields);
    let write = write_fields(&bound);
    let read = read_fields(&item.fields);
    implement(&item.ident, &item.generics, &quote!(let Self #pattern = self; #write), &quote!(Ok(Self #read)))
}

pub(crate) fn of_enum(item: &ItemEnum) -> TokenStream {
    let mut write_arms = Vec::new();
    let mut read_arms = Vec::new();
    for (number, variant) in item.variants.iter().enumerate() {
        let ident = &variant.ident;
        let number = number as u8;
        let (pattern, bound) = pattern(&variant.fields);
        let write = write_fields(&bound);
        let read = read_fields(&variant.fields);
        write_arms.push(quote! {
            Self::#ident #pattern => {
                ::rustorium_sdk::__private::borsh::BorshSerialize::serialize(&#number, out)?;
                #write
            }
        });
        read_arms.push(quote!(#number => Ok(Self::#ident #read),));
    }
    let read = quote! {
        match <u8 as ::rustorium_sdk::__private::borsh::BorshDeserialize>::deserialize_reader(input)? {
            #(#read_arms)*
            _ => Err(::rustorium_sdk::__private::borsh::io::ErrorKind::InvalidData.into()),
        }
    };
    implement(&item.ident, &item.generics, &quote!(match self { #(#write_arms)* }), &read)
}

fn implement(ident: &Ident, generics: &Generics, write: &TokenStream, read: &TokenStream) -> TokenStream {
    let (parameters, arguments, conditions) = generics.split_for_impl();
    quote! {
        impl #parameters ::rustorium_sdk::__private::borsh::BorshSerialize for #ident #arguments #conditions {
            fn serialize<Out: ::rustorium_sdk::__private::borsh::io::Write>(
                &self,
                out: &mut Out,
            ) -> ::rustorium_sdk::__private::borsh::io::Result<()> {
                #write
                Ok(())
            }
        }

        impl #parameters ::rustorium_sdk::__private::borsh::BorshDeserialize for #ident #arguments #conditions {
            fn deserialize_reader<In: ::rustorium_sdk::__private::borsh::io::Read>(
                input: &mut In,
            ) -> ::rustorium_sdk::__private::borsh::io::Result<Self> {
                #read
            }
        }
    }
}
