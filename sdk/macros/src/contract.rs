//! `#[contract]`: an `impl` whose marked methods others can call.
//!
//! ```text
//! impl Token { methods }        as written, without the marks; on hosts each begins with a call of the mock,
//!                               so that a test's direct call keeps the rules
//! type Result<T, E = Error>     if the attribute names an error
//! impl Contract for Token       the ABI's descriptors, and the function behind each export
//! exports, section              only in the module that is built
//! TokenAt                       the caller for other contracts
//! ```

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::{
    Error, Ident, ImplItem, ItemImpl, Path, Result, Token, Type, parenthesized,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
    spanned::Spanned,
};

use crate::{
    attribute::{check_known, docs, name, take},
    client::{self, Client},
    schema,
};
use method::{Kind, MARKS, Method};

pub(crate) mod method;

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut item = match syn::parse2::<ItemImpl>(item.clone()) {
        Ok(item) => item,
        Err(_) => {
            let error = Error::new(item.span(), "`#[contract]` marks the `impl` of a `#[storage]` struct");
            let error = error.into_compile_error();
            return quote!(#error #item);
        }
    };
    let output = syn::parse2::<Options>(arguments).and_then(|options| contract(&options, &mut item));
    output.unwrap_or_else(|error| {
        item.items.iter_mut().for_each(remove_marks);
        let error = error.into_compile_error();
        quote!(#error #item)
    })
}

/// A mark that no `#[contract]` has taken.
pub(crate) fn stray_mark(mark: &str, item: TokenStream) -> TokenStream {
    let message = format!("`#[{mark}]` marks a method of an `impl` that is marked `#[contract]`");
    let error = Error::new(Span::call_site(), message).into_compile_error();
    quote!(#error #item)
}

/// What stands in the parentheses of `#[contract(…)]`.
#[derive(Default)]
struct Options {
    error: Option<Path>,
    events: Vec<Path>,
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut options = Self::default();
        while !input.is_empty() {
            let option: Ident = input.parse()?;
            check_known(&option, &["error", "events"])?;
            if option == "error" {
                input.parse::<Token![=]>()?;
                options.error = Some(input.parse()?);
            } else {
                let events;
                parenthesized!(events in input);
                options.events = Punctuated::<Path, Token![,]>::parse_terminated(&events)?.into_iter().collect();
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}

fn contract(options: &Options, item: &mut ItemImpl) -> Result<TokenStream> {
    let contract = contract_name(item)?;
    let methods = methods(item)?;
    let alias = options.error.as_ref().map(result_alias);
    let implementation = implementation(options, item, &methods);
    let client = client::expand(&Client {
        name: contract.clone(),
        visibility: syn::parse_quote!(pub),
        doc: format!("Calls a contract `{}` at an address.", name(&contract)),
        methods: methods.iter().filter(|method| matches!(method.kind, Kind::Call | Kind::View)).collect(),
    });
    Ok(quote!(#item #alias #implementation #client))
}

fn contract_name(item: &ItemImpl) -> Result<Ident> {
    if !item.generics.params.is_empty() {
        return Err(Error::new_spanned(&item.generics, "a contract has no type parameters: name the types"));
    }
    if let Some((path, _)) = &item.trait_ {
        return Err(Error::new_spanned(path, "a contract's methods stand in an `impl` of its own, not of a trait"));
    }
    match &*item.self_ty {
        Type::Path(path) if path.qself.is_none() => path.path.segments.last().map(|segment| segment.ident.clone()),
        _ => None,
    }
    .ok_or_else(|| Error::new_spanned(&item.self_ty, "expected the name of a `#[storage]` struct"))
}

/// Takes the marks off the methods, and makes each begin with what the mock needs to know.
fn methods(item: &mut ItemImpl) -> Result<Vec<Method>> {
    let mut methods: Vec<Method> = Vec::new();
    let mut errors: Option<Error> = None;
    for function in
        item.items.iter_mut().filter_map(|item| if let ImplItem::Fn(function) = item { Some(function) } else { None })
    {
        match Method::take(function) {
            Ok(None) => {}
            Ok(Some(method)) => {
                let once = matches!(method.kind, Kind::Init | Kind::Migrate | Kind::Receive);
                if once && methods.iter().any(|other| other.kind == method.kind) {
                    let message = format!("a contract has one `#[{}]` method; this is another", method.kind.mark());
                    return Err(Error::new_spanned(&method.ident, message));
                }
                let (kind, export, payable) = (method.kind.descriptor(), &method.export, method.payable);
                let arguments = method.arguments.iter().map(|argument| &argument.ident);
                function.block.stmts.insert(
                    0,
                    syn::parse_quote! {
                        #[cfg(not(target_arch = "wasm32"))]
                        ::rustorium_sdk::__private::entered(#kind, #export, #payable, &|out| {
                            #(::rustorium_sdk::__private::append(&#arguments, out);)*
                        });
                    },
                );
                methods.push(method);
            }
            Err(error) => match &mut errors {
                Some(errors) => errors.combine(error),
                None => errors = Some(error),
            },
        }
    }
    match errors {
        Some(errors) => Err(errors),
        None if methods.is_empty() => Err(Error::new_spanned(
            &item.self_ty,
            "nobody can call this contract: mark a method `#[call]` or `#[view]`",
        )),
        None => Ok(methods),
    }
}

fn remove_marks(item: &mut ImplItem) {
    if let ImplItem::Fn(function) = item {
        for mark in MARKS {
            take(&mut function.attrs, mark);
        }
    }
}

/// `Result<T>` of the contract's own error.
fn result_alias(error: &Path) -> TokenStream {
    quote! {
        /// What this contract's methods answer.
        #[allow(dead_code, reason = "what a contract does not use")]
        type Result<T, E = #error> = ::core::result::Result<T, E>;
    }
}

fn implementation(options: &Options, item: &ItemImpl, methods: &[Method]) -> TokenStream {
    let contract = &item.self_ty;
    let functions: Vec<Ident> =
        methods.iter().map(|method| format_ident!("{}_{}", method.kind.mark(), name(&method.ident))).collect();
    let bodies = methods.iter().map(|method| method.call(contract));
    let kinds = methods.iter().map(|method| method.kind.descriptor());
    let exports = methods.iter().map(|method| &method.export);
    let descriptors = methods.iter().map(Method::descriptor);
    let events = &options.events;
    let doc = docs(&item.attrs);
    let doc = if doc.is_empty() { quote!(<#contract as ::rustorium_sdk::Storage>::DOC) } else { quote!(#doc) };
    let init = methods.iter().find(|method| method.kind == Kind::Init).map_or_else(
        || quote!(()),
        |method| {
            let output = &method.output;
            quote!(#output)
        },
    );
    let abi = quote!(<#contract as ::rustorium_sdk::Contract>::ABI);
    let module = exported(methods, &functions, &abi);
    quote! {
        const _: () = {
            #(fn #functions() { #bodies })*

            impl ::rustorium_sdk::Contract for #contract {
                const ABI: ::rustorium_sdk::abi::Section =
                    ::rustorium_sdk::abi::Section(::rustorium_sdk::abi::Contract {
                        name: <#contract as ::rustorium_sdk::Storage>::NAME,
                        version: ::core::env!("CARGO_PKG_VERSION"),
                        doc: #doc,
                        methods: &[#(#descriptors),*],
                        storage: <#contract as ::rustorium_sdk::Storage>::FIELDS,
                        events: &[#(<#events as ::rustorium_sdk::Event>::EVENT),*],
                    });

                type Init = #init;

                fn method(kind: ::rustorium_sdk::abi::MethodKind, name: &str) -> ::core::option::Option<fn()> {
                    match (kind, name) {
                        #((#kinds, #exports) => ::core::option::Option::Some(#functions),)*
                        _ => ::core::option::Option::None,
                    }
                }
            }

            // What is wrong with the section is said when the contract is checked, not when it is built.
            const _: usize = #abi.length();

            #module
        };
    }
}

/// The exports, their markers, and the section.
fn exported(methods: &[Method], functions: &[Ident], abi: &TokenStream) -> TokenStream {
    let mut items = schema::section(&quote!(#abi.length()), &quote!(#abi.bytes()));
    for (method, function) in methods.iter().zip(functions) {
        let export = method.full_export();
        let exported = format_ident!("export_{function}");
        items.extend(quote! {
            #[unsafe(export_name = #export)]
            extern "C" fn #exported() {
                ::rustorium_sdk::__private::enter(#function);
            }
        });
        for marker in method.markers() {
            let exported = format_ident!("{}_{function}", marker);
            let export = format!("{marker}.{}", method.export);
            items.extend(quote! {
                #[unsafe(export_name = #export)]
                extern "C" fn #exported() {}
            });
        }
    }
    schema::exported(&items)
}
