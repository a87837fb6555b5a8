//! `#[interface]`: a trait that names what other contracts offer.

use proc_macro2::TokenStream;
use syn::{Error, ItemTrait, ReceiverKind, Result, TraitItem, TraitItemFn};

use crate::{
    attribute::{docs, no_arguments},
    client::{self, Client},
    contract::method::{Kind, Method},
};

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let parsed = no_arguments("interface", arguments).and_then(|()| {
        let error =
            || Error::new_spanned(&item, "`#[interface]` marks a trait: its methods are those of the contract called");
        syn::parse2(item.clone()).map_err(|_| error())
    });
    parsed.and_then(interface).unwrap_or_else(syn::Error::into_compile_error)
}

fn interface(item: ItemTrait) -> Result<TokenStream> {
    if !item.generics.params.is_empty() {
        return Err(Error::new_spanned(&item.generics, "an interface has no type parameters: name the types"));
    }
    let methods = item.items.iter().map(method).collect::<Result<Vec<_>>>()?;
    let doc = match docs(&item.attrs) {
        doc if doc.is_empty() => format!("Calls a contract that offers `{}`.", item.ident),
        doc => doc,
    };
    Ok(client::expand(&Client { name: item.ident, visibility: item.vis, doc, methods: methods.iter().collect() }))
}

fn method(item: &TraitItem) -> Result<Method> {
    let TraitItem::Fn(TraitItemFn { attrs, sig, default, .. }) = item else {
        return Err(Error::new_spanned(item, "an interface has methods only"));
    };
    if let Some(body) = default {
        return Err(Error::new_spanned(body, "the contract that is called has the body: end the line with `;`"));
    }
    let reads = sig.receiver().is_some_and(|receiver| matches!(receiver.kind, ReceiverKind::Reference(_, _, None)));
    let mut method = Method::of_signature(if reads { Kind::View } else { Kind::Call }, sig)?;
    method.doc = docs(attrs);
    Ok(method)
}
