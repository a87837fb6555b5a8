//! Reading attributes strictly: what is not known is refused, with what is.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::{Attribute, Error, Expr, ExprLit, Lit, LitStr, Meta, Result, Token, parse::Parser, punctuated::Punctuated};

/// Bytes of a name at the most: `rustorium_types::limits::NAME_BYTES`.
pub(crate) const NAME_BYTES: usize = 64;

/// The doc comment: its lines, without the space that follows the slashes.
pub(crate) fn docs(attributes: &[Attribute]) -> String {
    let mut lines = Vec::new();
    for attribute in attributes {
        if let Meta::NameValue(meta) = &attribute.meta
            && meta.path.is_ident("doc")
            && let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &meta.value
        {
            let text = text.value();
            lines.extend(text.split('\n').map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end().to_owned()));
        }
    }
    lines.join("\n").trim().to_owned()
}

/// Takes the attributes of a name off the list.
pub(crate) fn take(attributes: &mut Vec<Attribute>, name: &str) -> Vec<Attribute> {
    attributes.extract_if(.., |attribute| attribute.path().is_ident(name)).collect()
}

/// Takes the one attribute of a name off the list.
pub(crate) fn take_one(attributes: &mut Vec<Attribute>, name: &str) -> Result<Option<Attribute>> {
    let mut found = take(attributes, name).into_iter();
    let one = found.next();
    match found.next() {
        Some(second) => Err(Error::new_spanned(second, format!("`#[{name}]` stands here twice"))),
        None => Ok(one),
    }
}

/// The options of an attribute of this form: none, or words in parentheses.
pub(crate) fn options(attribute: &Attribute, known: &[&str]) -> Result<Vec<Ident>> {
    match &attribute.meta {
        Meta::Path(_) => Ok(Vec::new()),
        Meta::List(list) => words(list.tokens.clone(), known),
        Meta::NameValue(meta) => {
            Err(Error::new_spanned(meta, "options stand in parentheses, as in `#[call(payable)]`"))
        }
    }
}

/// Words separated by commas, all of them known.
pub(crate) fn words(tokens: TokenStream, known: &[&str]) -> Result<Vec<Ident>> {
    let words: Vec<Ident> = Punctuated::<Ident, Token![,]>::parse_terminated.parse2(tokens)?.into_iter().collect();
    for word in &words {
        check_known(word, known)?;
    }
    Ok(words)
}

/// Refuses a word that is not known, with what is.
pub(crate) fn check_known(word: &Ident, known: &[&str]) -> Result<()> {
    if known.iter().any(|option| word == option) {
        return Ok(());
    }
    let options = known.iter().map(|option| format!("`{option}`")).collect::<Vec<_>>().join(" or ");
    let hint = if known.is_empty() { "there are no options here".into() } else { format!("expected {options}") };
    Err(Error::new_spanned(word, format!("unknown option `{word}`: {hint}")))
}

/// Refuses arguments of an attribute that takes none.
pub(crate) fn no_arguments(name: &str, arguments: TokenStream) -> Result<()> {
    if arguments.is_empty() {
        Ok(())
    } else {
        Err(Error::new_spanned(arguments, format!("`#[{name}]` takes no options")))
    }
}

/// The text of `#[name = "text"]`.
pub(crate) fn text(attribute: &Attribute, example: &str) -> Result<LitStr> {
    if let Meta::NameValue(meta) = &attribute.meta
        && let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &meta.value
    {
        return Ok(text.clone());
    }
    Err(Error::new_spanned(attribute, format!("expected `{example}`")))
}

/// Refuses a name that the ABI does not hold.
pub(crate) fn check_name(name: &str, place: &impl ToTokens) -> Result<()> {
    if name.is_empty() || name.len() > NAME_BYTES {
        return Err(Error::new_spanned(
            place,
            format!("a name in the ABI has 1 to {NAME_BYTES} bytes; this has {}", name.len()),
        ));
    }
    Ok(())
}

/// The name of an identifier, without the `r#` of a keyword.
pub(crate) fn name(ident: &Ident) -> String {
    let text = ident.to_string();
    text.strip_prefix("r#").map_or(text.clone(), str::to_owned)
}

/// Which of the traits that our types have are not derived by the author already.
pub(crate) fn missing_derives(attributes: &[Attribute]) -> Result<TokenStream> {
    let mut derived = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("derive")) {
        for path in attribute.parse_args_with(Punctuated::<syn::Path, Token![,]>::parse_terminated)? {
            let name = path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
            if name.starts_with("Borsh") {
                return Err(Error::new_spanned(path, "the marked type is encoded already: remove this derive"));
            }
            derived.push(name);
        }
    }
    let traits =
        ["Clone", "Debug", "PartialEq", "Eq"].into_iter().filter(|name| !derived.iter().any(|one| one == name));
    let traits = traits.map(|name| Ident::new(name, proc_macro2::Span::call_site())).collect::<Vec<_>>();
    Ok(if traits.is_empty() { TokenStream::new() } else { quote::quote!(#[derive(#(#traits),*)]) })
}
