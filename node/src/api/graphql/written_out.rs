//! What a query comes to once its fragments are written out, before anything looks at it more closely.
//!
//! Thirty fragments that each spread the next one twice are a kilobyte of text and a billion fields; introspection's
//! lists of types of fields of types multiply in the same way, and the library's complexity counts none of that. So
//! every operation is walked here first, with an end: what is larger than [`SELECTIONS`] when it is written out is
//! refused, and what introspects is charged for the schema's lists.

use std::collections::HashMap;

use async_graphql::{
    Name, Positioned, Request, ServerError,
    parser::types::{FragmentDefinition, Selection, SelectionSet},
};

use super::too_complex;

/// Selections of all operations together, fragments written out: some times the complexity that a query may have.
const SELECTIONS: usize = 50_000;
/// Levels, fragments counted: a query has 16, and more are refused by name there.
const LEVELS: usize = 128;
/// Of introspection, the fields that come back at the most. The query of GraphiQL comes to 80,000 by this count.
const INTROSPECTED: usize = 200_000;

/// About how many items a list of the schema has, by the field that gives it.
fn listed(field: &str) -> usize {
    match field {
        "types" => 100,
        "fields" | "inputFields" | "enumValues" => 12,
        "args" | "possibleTypes" | "interfaces" | "directives" | "locations" => 4,
        _ => 1,
    }
}

/// Refuses a query that grows beyond measure. What does not parse, or names a fragment that is not there, is left to
/// those who can say why.
pub(super) fn check(request: &mut Request) -> Result<(), ServerError> {
    let Ok(document) = request.parsed_query() else { return Ok(()) };
    let mut walk = Walk { fragments: &document.fragments, selections: 0, introspected: 0 };
    for (_, operation) in document.operations.iter() {
        walk.selections(&operation.node.selection_set.node, 0, 0)?;
    }
    Ok(())
}

struct Walk<'a> {
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    selections: usize,
    introspected: usize,
}

impl Walk<'_> {
    /// `times` is how often the schema's lists give this selection; 0 outside of introspection.
    fn selections(&mut self, set: &SelectionSet, level: usize, times: usize) -> Result<(), ServerError> {
        if level > LEVELS {
            return Err(too_complex("the query is nested too deep, or its fragments spread each other"));
        }
        for selection in &set.items {
            self.selections += 1;
            self.introspected = self.introspected.saturating_add(times);
            if self.selections > SELECTIONS {
                return Err(too_complex(format!("the query has more than {SELECTIONS} fields, fragments written out")));
            }
            if self.introspected > INTROSPECTED {
                return Err(too_complex(
                    "the query asks for more of the schema than there is: use fewer lists in lists",
                ));
            }
            match &selection.node {
                Selection::Field(field) => {
                    let name = field.node.name.node.as_str();
                    let begins = matches!(name, "__schema" | "__type");
                    let times = if begins { times.max(1) } else { times.saturating_mul(listed(name)) };
                    self.selections(&field.node.selection_set.node, level + 1, times)?;
                }
                Selection::InlineFragment(inline) => {
                    self.selections(&inline.node.selection_set.node, level + 1, times)?;
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.fragments.get(&spread.node.fragment_name.node) {
                        self.selections(&fragment.node.selection_set.node, level + 1, times)?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(query: &str) -> Result<(), String> {
        check(&mut Request::new(query)).map_err(|error| error.message)
    }

    #[test]
    fn fragments_that_double_are_refused_without_being_written_out() {
        let fragments: String =
            (0..40).map(|number| format!("fragment f{number} on Query {{ ...f{0} ...f{0} }} ", number + 1)).collect();
        let query = format!("{{ ...f0 }} {fragments} fragment f40 on Query {{ chain {{ id }} }}");
        assert!(verdict(&query).is_err_and(|message| message.contains("written out")));
    }

    #[test]
    fn fragments_that_spread_each_other_end() {
        let query = "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }";
        assert!(verdict(query).is_err_and(|message| message.contains("spread each other")));
    }

    #[test]
    fn the_schema_may_be_read_but_not_multiplied() {
        let of_type = "ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";
        let graphiql = format!(
            "{{ __schema {{ queryType {{ name }} types {{ kind name description
                 fields(includeDeprecated: true) {{ name description args {{ name type {{ kind name {of_type} }} }}
                   type {{ kind name {of_type} }} isDeprecated deprecationReason }}
                 inputFields {{ name type {{ kind name {of_type} }} }} interfaces {{ kind name }}
                 enumValues {{ name description }} possibleTypes {{ name }} }}
               directives {{ name locations args {{ name type {{ kind name {of_type} }} }} }} }} }}"
        );
        assert_eq!(verdict(&graphiql), Ok(()));
        let bomb = "{ __schema { types { fields { type { fields { type { fields { type { name } } } } } } } } }";
        assert!(verdict(bomb).is_err_and(|message| message.contains("lists in lists")));
    }
}
