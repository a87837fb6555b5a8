//! What an upgrade would break for those who use a contract.
//!
//! The rule: methods, events, errors and storage fields may be added, and variants appended to enums; all
//! else is a break. Types are compared by what they are made of, since their names are in no value's bytes or
//! JSON. Storage fields are compared by their name in storage keys, so that one may be renamed in the source.
//! `init` and `migrate` are left out: an existing contract never runs the one again, and the other belongs to
//! one upgrade.

use alloc::{
    collections::BTreeSet,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use super::{Abi, Field, Layout, Method, MethodKind, Shape, Storage, TYPE_DEPTH, Type, Variant};

/// Something that worked before an upgrade and would not after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// What breaks.
    pub item: Item,
    /// Its name.
    pub name: String,
    /// Why.
    pub change: Change,
}

/// What kind of thing breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Item {
    /// A method of this kind.
    Method(MethodKind),
    /// An event.
    Event,
    /// An error.
    Error,
    /// A storage field: existing values could no longer be read.
    Storage,
}

/// Why it breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Change {
    /// It is gone.
    #[error("is removed")]
    Removed,
    /// Its fields or arguments are others, or in another order.
    #[error("{}has {now} instead of {before}", at(.path))]
    Fields {
        /// Where in it; empty for its own.
        path: String,
        /// The names before.
        before: String,
        /// The names now.
        now: String,
    },
    /// A type is another.
    #[error("{}is {now} instead of {before}", at(.path))]
    Type {
        /// Where in it.
        path: String,
        /// The type before.
        before: Type,
        /// The type now.
        now: Type,
    },
    /// An enum lost a variant, or has another at its place.
    #[error("{}has variants {now} instead of {before} and more", at(.path))]
    Variants {
        /// Where in it.
        path: String,
        /// The names before.
        before: String,
        /// The names now.
        now: String,
    },
    /// It takes value now, or no longer does.
    #[error("{}", if *.0 { "takes value now" } else { "no longer takes value" })]
    Payable(bool),
    /// It can be entered again now, or no longer can.
    #[error("{}", if *.0 { "can be re-entered now" } else { "can no longer be re-entered" })]
    Reentrant(bool),
    /// A field of an event can be searched for now, or no longer can.
    #[error("field `{name}` is {}", if *.now { "indexed now" } else { "no longer indexed" })]
    Indexed {
        /// The field.
        name: String,
        /// Whether it is now.
        now: bool,
    },
    /// A storage field keeps its values in another way.
    #[error("is {now} instead of {before}")]
    Layout {
        /// The layout before.
        before: &'static str,
        /// The layout now.
        now: &'static str,
    },
}

fn at(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("`{path}` ") }
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let item = match self.item {
            Item::Method(kind) => kind.text(),
            Item::Event => "event",
            Item::Error => "error",
            Item::Storage => "storage field",
        };
        write!(f, "{item} `{}` {}", self.name, self.change)
    }
}

/// Everything that an upgrade from one ABI to another would break.
pub fn breaks(before: &Abi, now: &Abi) -> Vec<Break> {
    let mut found = Vec::new();
    let mut report = |item, name: &str, changes: Result<(), Change>| {
        if let Err(change) = changes {
            found.push(Break { item, name: name.into(), change });
        }
    };
    let mut compare = Comparison { before, now, equal: BTreeSet::new() };
    for ((kind, name), method) in &before.methods {
        if !matches!(kind, MethodKind::Init | MethodKind::Migrate) {
            let other = now.method(*kind, name);
            report(Item::Method(*kind), name, compare.methods(method, other));
        }
    }
    for (name, event) in &before.events {
        let other = now.events.get(name).map(|event| event.fields.as_slice());
        report(Item::Event, name, compare.events(&event.fields, other));
    }
    for (name, error) in &before.errors {
        let other = now.errors.get(name).ok_or(Change::Removed);
        report(Item::Error, name, other.and_then(|other| compare.fields("", &error.fields, &other.fields)));
    }
    for (name, field) in &before.storage {
        let other = now.storage.values().find(|other| other.stored_as == field.stored_as);
        report(Item::Storage, name, compare.storage(field, other));
    }
    found
}

struct Comparison<'a> {
    before: &'a Abi,
    now: &'a Abi,
    /// Pairs of named types that are known to be compatible, so that each is compared once.
    equal: BTreeSet<(&'a str, &'a str)>,
}

impl<'a> Comparison<'a> {
    fn methods(&mut self, before: &'a Method, now: Option<&'a Method>) -> Result<(), Change> {
        let now = now.ok_or(Change::Removed)?;
        self.fields("", &before.arguments, &now.arguments)?;
        self.types("result", &before.returns, &now.returns, TYPE_DEPTH)?;
        if before.payable != now.payable {
            return Err(Change::Payable(now.payable));
        }
        if before.reentrant != now.reentrant {
            return Err(Change::Reentrant(now.reentrant));
        }
        Ok(())
    }

    fn events(&mut self, before: &'a [Field], now: Option<&'a [Field]>) -> Result<(), Change> {
        let now = now.ok_or(Change::Removed)?;
        self.fields("", before, now)?;
        match before.iter().zip(now).find(|(before, now)| before.indexed != now.indexed) {
            Some((_, now)) => Err(Change::Indexed { name: now.name.clone(), now: now.indexed }),
            None => Ok(()),
        }
    }

    fn storage(&mut self, before: &'a Storage, now: Option<&'a Storage>) -> Result<(), Change> {
        let now = now.ok_or(Change::Removed)?;
        match (&before.layout, &now.layout) {
            (Layout::Item(before), Layout::Item(now)) | (Layout::List(before), Layout::List(now)) => {
                self.types("value", before, now, TYPE_DEPTH)
            }
            (Layout::Map(key, value), Layout::Map(now_key, now_value))
            | (Layout::EnumMap(key, value), Layout::EnumMap(now_key, now_value)) => {
                self.types("key", key, now_key, TYPE_DEPTH)?;
                self.types("value", value, now_value, TYPE_DEPTH)
            }
            (before, now) => Err(Change::Layout { before: before.text(), now: now.text() }),
        }
    }

    fn fields(&mut self, path: &str, before: &'a [Field], now: &'a [Field]) -> Result<(), Change> {
        self.fields_within(path, before, now, TYPE_DEPTH)
    }

    fn fields_within(&mut self, path: &str, before: &'a [Field], now: &'a [Field], left: usize) -> Result<(), Change> {
        let names = |fields: &[Field]| fields.iter().map(|field| field.name.clone()).collect::<Vec<_>>();
        if names(before) != names(now) {
            return Err(Change::Fields { path: path.into(), before: listed(names(before)), now: listed(names(now)) });
        }
        let joint = if path.is_empty() { "" } else { "." };
        before.iter().zip(now).try_for_each(|(before, now)| {
            self.types(&format!("{path}{joint}{}", before.name), &before.ty, &now.ty, left)
        })
    }

    fn types(&mut self, path: &str, before: &'a Type, now: &'a Type, left: usize) -> Result<(), Change> {
        let differ = || Err(Change::Type { path: path.into(), before: before.clone(), now: now.clone() });
        let Some(inside) = left.checked_sub(1) else {
            return if before == now { Ok(()) } else { differ() };
        };
        match (before, now) {
            (Type::Option(before), Type::Option(now)) | (Type::Vec(before), Type::Vec(now)) => {
                self.types(path, before, now, inside)
            }
            (Type::Map(key, value), Type::Map(now_key, now_value)) => {
                self.types(path, key, now_key, inside)?;
                self.types(path, value, now_value, inside)
            }
            (Type::Tuple(before), Type::Tuple(now)) if before.len() == now.len() => before
                .iter()
                .zip(now)
                .enumerate()
                .try_for_each(|(index, (before, now))| self.types(&format!("{path}[{index}]"), before, now, inside)),
            (Type::Named(_) | Type::Record(_), Type::Named(_) | Type::Record(_)) => {
                self.named(path, before, now, inside)
            }
            _ if before == now => Ok(()),
            _ => differ(),
        }
    }

    fn named(&mut self, path: &str, before: &'a Type, now: &'a Type, inside: usize) -> Result<(), Change> {
        if let (Type::Named(before), Type::Named(now)) = (before, now)
            && self.equal.contains(&(before.as_str(), now.as_str()))
        {
            return Ok(());
        }
        match (parts(self.before, before), parts(self.now, now)) {
            (Some(Parts::Fields(before)), Some(Parts::Fields(now))) => self.fields_within(path, before, now, inside)?,
            (Some(Parts::Variants(before)), Some(Parts::Variants(now))) => self.variants(path, before, now, inside)?,
            _ => return Err(Change::Type { path: path.into(), before: before.clone(), now: now.clone() }),
        }
        if let (Type::Named(before), Type::Named(now)) = (before, now) {
            self.equal.insert((before, now));
        }
        Ok(())
    }

    fn variants(&mut self, path: &str, before: &'a [Variant], now: &'a [Variant], inside: usize) -> Result<(), Change> {
        let names = |variants: &[Variant]| variants.iter().map(|variant| variant.name.clone()).collect::<Vec<_>>();
        if !names(now).starts_with(&names(before)) {
            return Err(Change::Variants { path: path.into(), before: listed(names(before)), now: listed(names(now)) });
        }
        before.iter().zip(now).try_for_each(|(before, now)| {
            self.fields_within(&format!("{path}.{}", before.name), &before.fields, &now.fields, inside)
        })
    }
}

enum Parts<'a> {
    Fields(&'a [Field]),
    Variants(&'a [Variant]),
}

fn parts<'a>(abi: &'a Abi, ty: &'a Type) -> Option<Parts<'a>> {
    match ty {
        Type::Record(fields) => Some(Parts::Fields(fields)),
        Type::Named(name) => match abi.shape(name)? {
            Shape::Struct(fields) => Some(Parts::Fields(fields)),
            Shape::Enum(variants) => Some(Parts::Variants(variants)),
        },
        _ => None,
    }
}

fn listed(names: Vec<String>) -> String {
    if names.is_empty() { "none".to_string() } else { names.join(", ") }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use alloc::boxed::Box;

    use super::{super::testing, *};

    fn said(change: impl FnOnce(&mut Abi)) -> Vec<String> {
        let before = testing::abi();
        let mut now = before.clone();
        change(&mut now);
        breaks(&before, &now).iter().map(ToString::to_string).collect()
    }

    fn transfer(abi: &mut Abi) -> &mut Method {
        abi.methods.get_mut(&(MethodKind::Call, "transfer".into())).unwrap()
    }

    fn choice(abi: &mut Abi) -> &mut Vec<Variant> {
        match &mut abi.types.get_mut("Choice").unwrap().shape {
            Shape::Enum(variants) => variants,
            Shape::Struct(_) => panic!("an enum"),
        }
    }

    #[test]
    fn what_is_compatible() {
        assert!(said(|_| {}).is_empty());
        assert!(
            said(|abi| {
                let mut method = transfer(abi).clone();
                method.name = "send".into();
                abi.methods.insert((MethodKind::Call, "send".into()), method);
                let mut variant = choice(abi)[0].clone();
                variant.name = "Abstain".into();
                choice(abi).push(variant);
                let mut field = abi.storage["owner"].clone();
                field.name = "master".into();
                abi.storage.remove("owner");
                abi.storage.insert("master".into(), field);
                abi.methods.remove(&(MethodKind::Init, "init".into()));
                transfer(abi).doc = "other words".into();
            })
            .is_empty()
        );
    }

    #[test]
    fn what_breaks() {
        let removed = said(|abi| {
            abi.methods.remove(&(MethodKind::Call, "transfer".into()));
            abi.events.clear();
            abi.storage.remove("owner");
        });
        assert_eq!(
            removed,
            ["call `transfer` is removed", "event `Transfer` is removed", "storage field `owner` is removed"]
        );
        assert_eq!(
            said(|abi| transfer(abi).arguments.swap(0, 1)),
            ["call `transfer` has amount, to instead of to, amount"]
        );
        assert_eq!(
            said(|abi| transfer(abi).arguments[1].ty = Type::U64),
            ["call `transfer` `amount` is u64 instead of u128"]
        );
        assert_eq!(said(|abi| transfer(abi).payable = true), ["call `transfer` takes value now"]);
        assert_eq!(
            said(|abi| abi.events.get_mut("Transfer").unwrap().fields[2].indexed = true),
            ["event `Transfer` field `amount` is indexed now"]
        );
        assert_eq!(
            said(|abi| choice(abi).swap(0, 1)),
            ["view `choices` `result` has variants No, Yes, Pair instead of Yes, No, Pair and more"]
        );
        assert_eq!(
            said(|abi| abi.storage.get_mut("balances").unwrap().layout = Layout::Map(Type::Address, Type::U128)),
            ["storage field `balances` is a map instead of a map that can be paged"]
        );
        assert_eq!(
            said(|abi| abi.storage.get_mut("owner").unwrap().layout =
                Layout::Item(Type::Option(Box::new(Type::Address)))),
            ["storage field `owner` `value` is Option<Address> instead of Address"]
        );
    }
}
