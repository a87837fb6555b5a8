//! Descriptors of the ABI (`rustorium_sdk::abi`) as tokens, and the section that carries them.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Field, Fields, Result, Type};

use crate::attribute::{check_name, docs, name};

/// A field's descriptor.
pub(crate) fn field(name: &str, ty: &impl ToTokens, doc: &str, indexed: bool) -> TokenStream {
    quote! {
        ::rustorium_sdk::abi::Field {
            name: #name,
            ty: <#ty as ::rustorium_sdk::abi::AbiType>::TYPE,
            doc: #doc,
            indexed: #indexed,
        }
    }
}

/// The descriptors of fields; those without a name are called `0`, `1` ….
pub(crate) fn fields(fields: &Fields) -> Result<Vec<TokenStream>> {
    fields
        .iter()
        .enumerate()
        .map(|(position, one)| {
            let name = field_name(position, one);
            check_name(&name, &one.ident)?;
            Ok(field(&name, &one.ty, &docs(&one.attrs), false))
        })
        .collect()
}

/// The name of a field.
pub(crate) fn field_name(position: usize, field: &Field) -> String {
    field.ident.as_ref().map_or_else(|| position.to_string(), name)
}

/// A variant's descriptor.
pub(crate) fn variant(name: &str, doc: &str, message: &str, fields: &TokenStream) -> TokenStream {
    quote! {
        ::rustorium_sdk::abi::Variant { name: #name, doc: #doc, message: #message, fields: #fields }
    }
}

/// A static in the ABI's section: its length and bytes are constants.
pub(crate) fn section(length: &TokenStream, bytes: &TokenStream) -> TokenStream {
    quote! {
        #[used]
        #[unsafe(link_section = "rustorium.abi")]
        static SECTION: [u8; #length] = #bytes;
    }
}

/// Items that exist in the module of the contract that is built, and nowhere else.
pub(crate) fn exported(items: &TokenStream) -> TokenStream {
    quote! {
        // Host builds do not know the cfg, which is no mistake of the author's.
        #[allow(unexpected_cfgs)]
        const _: () = {
            #[cfg(all(rustorium_export, target_arch = "wasm32"))]
            const _: () = { #items };
        };
    }
}

/// The type of nothing, for a function without `->`.
pub(crate) fn output(output: &syn::ReturnType) -> Type {
    match output {
        syn::ReturnType::Default => syn::parse_quote!(()),
        syn::ReturnType::Type(_, ty) => (**ty).clone(),
    }
}
