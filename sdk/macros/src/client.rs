//! `TokenAt(address)`: the caller of a contract, for other contracts.
//!
//! A struct and a function of one name, which live in different namespaces: `TokenAt(address)` reads like the
//! making of a struct, and takes whatever is an address.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::Visibility;

use crate::contract::method::{Kind, Method};

/// What a caller is made from.
pub(crate) struct Client<'a> {
    /// The contract's or interface's name.
    pub(crate) name: Ident,
    pub(crate) visibility: Visibility,
    pub(crate) doc: String,
    pub(crate) methods: Vec<&'a Method>,
}

pub(crate) fn expand(client: &Client<'_>) -> TokenStream {
    let Client { visibility, doc, .. } = client;
    let ident = format_ident!("{}At", client.name, span = proc_macro2::Span::call_site());
    let methods = client.methods.iter().map(|method| expand_method(visibility, method));
    quote! {
        #[doc = #doc]
        #[allow(dead_code, reason = "what a contract does not use")]
        #[derive(Clone, Copy, Debug)]
        #[must_use = "nothing is called before a method is"]
        #visibility struct #ident {
            call: ::rustorium_sdk::Call,
        }

        #[doc = #doc]
        #[allow(dead_code, non_snake_case)]
        #visibility fn #ident(address: impl ::core::convert::Into<::rustorium_sdk::Address>) -> #ident {
            #ident { call: ::rustorium_sdk::Call::to(address) }
        }

        #[allow(dead_code, reason = "what a contract does not use")]
        impl #ident {
            /// Gas for the callee at the most; without this, all but 1/64 of what is left.
            #visibility fn gas(self, gas: u64) -> Self {
                Self { call: self.call.gas(gas) }
            }

            /// Native value that comes with the call; the method must be payable.
            #visibility fn value(self, value: u128) -> Self {
                Self { call: self.call.value(value) }
            }

            #(#methods)*
        }
    }
}

fn expand_method(visibility: &Visibility, method: &Method) -> TokenStream {
    let Method { ident, export, doc, .. } = method;
    let value = method.of_outcome("Value");
    let names: Vec<_> = method.arguments.iter().map(|argument| &argument.ident).collect();
    let types = method.arguments.iter().map(|argument| &argument.ty);
    let doc = if doc.is_empty() { format!("Calls `{export}`.") } else { doc.clone() };
    let run = if method.kind == Kind::View { quote!(query) } else { quote!(call) };
    quote! {
        #[doc = #doc]
        #visibility fn #ident(
            self,
            _: &::rustorium_sdk::Ctx,
            #(#names: #types),*
        ) -> ::core::result::Result<#value, ::rustorium_sdk::CallFailed> {
            self.call.#run(#export, &(#(#names,)*))
        }
    }
}
