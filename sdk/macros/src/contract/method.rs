//! A marked method: what its mark and signature say.
//!
//! The runtime keeps the rules about value and re-entry without trusting the ABI, by exports that are empty
//! functions and never called:
//!
//! ```text
//! call.NAME │ view.NAME │ init │ migrate │ receive     runs the method
//! payable.NAME, payable.init                           it takes native value (`receive` always does)
//! reentrant.NAME, reentrant.receive                    it may be called while the contract is on the stack
//! ```

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::{
    Error, FnArg, Ident, ImplItemFn, Pat, ReceiverKind, Result, Safety, Signature, Type, TypeReference,
    spanned::Spanned,
};

use crate::{
    attribute::{check_name, docs, name, options, take},
    schema,
};

/// The marks of methods.
pub(crate) const MARKS: [&str; 5] = ["init", "migrate", "receive", "call", "view"];

/// What kind of method.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Init,
    Migrate,
    Receive,
    Call,
    View,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Init, Self::Migrate, Self::Receive, Self::Call, Self::View];

    pub(crate) const fn mark(self) -> &'static str {
        MARKS[self as usize]
    }

    const fn options(self) -> &'static [&'static str] {
        match self {
            Self::Init => &["payable"],
            Self::Receive => &["reentrant"],
            Self::Call => &["payable", "reentrant"],
            Self::Migrate | Self::View => &[],
        }
    }

    /// Its `MethodKind`.
    pub(crate) fn descriptor(self) -> TokenStream {
        let variant = match self {
            Self::Init => quote!(Init),
            Self::Migrate => quote!(Migrate),
            Self::Receive => quote!(Receive),
            Self::Call => quote!(Call),
            Self::View => quote!(View),
        };
        quote!(::rustorium_sdk::abi::MethodKind::#variant)
    }
}

/// A method that others can call.
pub(crate) struct Method {
    pub(crate) kind: Kind,
    pub(crate) ident: Ident,
    /// Its name in the ABI.
    pub(crate) export: String,
    pub(crate) doc: String,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) output: Type,
    pub(crate) payable: bool,
    reentrant: bool,
    takes_ctx: bool,
}

/// An argument after `self` and `ctx`.
pub(crate) struct Argument {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
}

impl Argument {
    /// Its name for callers: without the underscore that says it is not used.
    fn name(&self) -> String {
        let name = name(&self.ident);
        name.strip_prefix('_').filter(|rest| !rest.is_empty()).map_or(name.clone(), str::to_owned)
    }
}

impl Method {
    /// Takes the mark off a function; `None` if it has none.
    pub(crate) fn take(function: &mut ImplItemFn) -> Result<Option<Self>> {
        let mut marks = Vec::new();
        for kind in Kind::ALL {
            marks.extend(take(&mut function.attrs, kind.mark()).into_iter().map(|mark| (kind, mark)));
        }
        let mut marks = marks.into_iter();
        let Some((kind, mark)) = marks.next() else { return Ok(None) };
        if let Some((_, second)) = marks.next() {
            return Err(Error::new_spanned(second, "a method has one mark: remove this one or the other"));
        }
        if let Some(cfg) = function.attrs.iter().find(|attribute| attribute.path().is_ident("cfg")) {
            return Err(Error::new_spanned(cfg, "what others can call does not depend on cfgs: remove this one"));
        }
        let options = options(&mark, kind.options())?;
        let has = |option: &str| options.iter().any(|word| word == option);
        let mut method = Self::of_signature(kind, &function.sig)?;
        method.doc = docs(&function.attrs);
        method.payable = kind == Kind::Receive || has("payable");
        method.reentrant = has("reentrant");
        Ok(Some(method))
    }

    /// Reads a signature, of a contract's method or of an interface's.
    pub(crate) fn of_signature(kind: Kind, signature: &Signature) -> Result<Self> {
        check_plain(signature)?;
        let mutable = receiver(signature)?;
        if kind == Kind::View && mutable {
            return Err(Error::new_spanned(
                &signature.inputs[0],
                "a view only reads: take `&self`, or mark it `#[call]`",
            ));
        }
        let mut inputs = signature.inputs.iter().skip(1).peekable();
        let takes_ctx = inputs.next_if(|input| matches!(input, FnArg::Typed(input) if is_ctx(&input.ty))).is_some();
        let arguments = inputs.map(argument).collect::<Result<Vec<_>>>()?;
        if let (Kind::Receive, Some(argument)) = (kind, arguments.first()) {
            return Err(Error::new_spanned(&argument.ident, "`#[receive]` runs without arguments: ask `ctx.value()`"));
        }
        let export = match kind {
            Kind::Call | Kind::View => name(&signature.ident),
            once => once.mark().to_owned(),
        };
        check_name(&export, &signature.ident)?;
        if kind == Kind::Call && MARKS[..3].contains(&export.as_str()) {
            let message = format!("`{export}` is the name of an export: mark this method `#[{export}]`, or rename it");
            return Err(Error::new_spanned(&signature.ident, message));
        }
        Ok(Self {
            kind,
            ident: signature.ident.clone(),
            export,
            doc: String::new(),
            arguments,
            output: schema::output(&signature.output),
            payable: false,
            reentrant: false,
            takes_ctx,
        })
    }

    /// The export that runs it.
    pub(crate) fn full_export(&self) -> String {
        match self.kind {
            Kind::Call | Kind::View => format!("{}.{}", self.kind.mark(), self.export),
            _ => self.export.clone(),
        }
    }

    /// What the exports of its markers start with.
    pub(crate) fn markers(&self) -> Vec<&'static str> {
        let payable = self.payable && self.kind != Kind::Receive;
        [("payable", payable), ("reentrant", self.reentrant)]
            .into_iter()
            .filter_map(|(marker, is_set)| is_set.then_some(marker))
            .collect()
    }

    /// The statements behind its export.
    pub(crate) fn call(&self, contract: &Type) -> TokenStream {
        let ident = &self.ident;
        let types = self.arguments.iter().map(|argument| &argument.ty);
        let names: Vec<Ident> =
            (0..self.arguments.len()).map(|position| format_ident!("argument_{position}")).collect();
        let ctx = self.takes_ctx.then(|| quote!(&::rustorium_sdk::Ctx::of_this_call(),));
        // A plain transfer has no arguments to decode.
        let take = (self.kind != Kind::Receive)
            .then(|| quote!(let (#(#names,)*): (#(#types,)*) = ::rustorium_sdk::__private::arguments();));
        // What is wrong with the type of the answer is said where that type stands.
        let answer = quote_spanned!(self.output.span()=> ::rustorium_sdk::__private::answer(outcome););
        quote! {
            #take
            let mut contract = <#contract as ::rustorium_sdk::Storage>::open();
            let outcome = <#contract>::#ident(&mut contract, #ctx #(#names),*);
            #answer
        }
    }

    /// What the trait `Outcome` knows of what it answers. A type that has no such trait is reported where the
    /// author wrote it.
    pub(crate) fn of_outcome(&self, item: &str) -> TokenStream {
        let (output, item) = (&self.output, Ident::new(item, self.output.span()));
        quote_spanned!(output.span()=> <#output as ::rustorium_sdk::Outcome>::#item)
    }

    /// Its descriptor in the ABI.
    pub(crate) fn descriptor(&self) -> TokenStream {
        let Self { export, doc, payable, reentrant, .. } = self;
        let (returns, errors) = (self.of_outcome("RETURNS"), self.of_outcome("ERRORS"));
        let kind = self.kind.descriptor();
        let arguments = self.arguments.iter().map(|argument| schema::field(&argument.name(), &argument.ty, "", false));
        quote! {
            ::rustorium_sdk::abi::Method {
                kind: #kind,
                name: #export,
                doc: #doc,
                arguments: &[#(#arguments),*],
                returns: #returns,
                errors: #errors,
                payable: #payable,
                reentrant: #reentrant,
            }
        }
    }
}

/// Refuses what a method called from outside cannot be.
fn check_plain(signature: &Signature) -> Result<()> {
    if let Some(token) = &signature.asyncness {
        return Err(Error::new_spanned(token, "a call of the host waits for nothing: remove `async`"));
    }
    if let Safety::Unsafe(token) = &signature.safety {
        return Err(Error::new_spanned(token, "anybody may call this: it cannot be `unsafe`"));
    }
    if !signature.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &signature.generics,
            "what others can call has no type parameters: its name means one signature",
        ));
    }
    Ok(())
}

/// Whether `self` is mutable.
fn receiver(signature: &Signature) -> Result<bool> {
    match signature.receiver().map(|receiver| &receiver.kind) {
        Some(ReceiverKind::Reference(_, _, mutability)) => Ok(mutability.is_some()),
        Some(_) => Err(Error::new_spanned(&signature.inputs[0], "a method takes `&mut self`, or `&self` to read only")),
        None => Err(Error::new_spanned(
            &signature.ident,
            "a method takes `&mut self`, or `&self` to read only, before its arguments",
        )),
    }
}

/// Whether a type is `&Ctx`.
fn is_ctx(ty: &Type) -> bool {
    let Type::Reference(TypeReference { elem, .. }) = ty else { return false };
    matches!(&**elem, Type::Path(path) if path.path.segments.last().is_some_and(|segment| segment.ident == "Ctx"))
}

fn argument(input: &FnArg) -> Result<Argument> {
    let FnArg::Typed(input) = input else {
        return Err(Error::new_spanned(input, "`self` stands first"));
    };
    if is_ctx(&input.ty) {
        return Err(Error::new_spanned(input, "`ctx: &Ctx` stands first, right after `self`"));
    }
    match &*input.ty {
        Type::Reference(reference) => Err(Error::new_spanned(
            reference,
            "arguments come from outside, so a method owns them: take `String` for `&str`, `Vec<T>` for `&[T]`, `T` for `&T`",
        )),
        Type::ImplTrait(ty) => Err(Error::new_spanned(ty, "what others can call names the types of its arguments")),
        ty => match &*input.pat {
            Pat::Ident(pat) => Ok(Argument { ident: pat.ident.clone(), ty: ty.clone() }),
            pat => Err(Error::new_spanned(pat, "an argument has a name, which callers use")),
        },
    }
}
