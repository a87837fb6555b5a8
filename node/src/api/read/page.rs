//! Pages: which part of a list, by GraphQL's Cursor Connections rules.
//!
//! `first` items after a cursor, or `last` before one; asking for both, or for more than a page may have, is a
//! mistake of the caller and is said.

use crate::api::{model::PageInfo, problem::ApiError, scalar::Cursor};

/// Which part of a list.
#[derive(Clone, Debug, Default)]
pub(crate) struct PageRequest {
    pub(crate) first: Option<u32>,
    pub(crate) after: Option<String>,
    pub(crate) last: Option<u32>,
    pub(crate) before: Option<String>,
}

/// The same, checked: at most `limit` items strictly between two places, from the front or from the back.
#[derive(Clone, Debug)]
pub(crate) struct Page<C> {
    pub(crate) after: Option<C>,
    pub(crate) before: Option<C>,
    pub(crate) limit: usize,
    pub(crate) from_back: bool,
}

/// Items of a page when nothing is said.
const DEFAULT: usize = 20;

impl PageRequest {
    /// Checks against the largest page, and reads the cursors.
    pub(crate) fn check<C>(
        &self,
        largest: usize,
        cursor: impl Fn(&str) -> Result<C, ApiError>,
    ) -> Result<Page<C>, ApiError> {
        let (count, from_back) = match (self.first, self.last) {
            (Some(_), Some(_)) => return Err(ApiError::bad_input("`first` and `last` exclude each other")),
            (None, Some(last)) => (last as usize, true),
            (first, None) => (first.map_or(DEFAULT.min(largest), |first| first as usize), false),
        };
        if count == 0 || count > largest {
            return Err(ApiError::bad_input(format!("a page has 1 to {largest} items, not {count}")));
        }
        let read = |text: &Option<String>| text.as_deref().map(&cursor).transpose();
        Ok(Page { after: read(&self.after)?, before: read(&self.before)?, limit: count, from_back })
    }
}

impl<C> Page<C> {
    /// Cuts what was found (one more than the limit, in the order of reading) to the page, in the list's order,
    /// and says where it stands.
    pub(crate) fn cut<T>(&self, mut found: Vec<T>, cursor: impl Fn(&T) -> Cursor) -> (Vec<T>, PageInfo) {
        let more = found.len() > self.limit;
        found.truncate(self.limit);
        if self.from_back {
            found.reverse();
        }
        let info = PageInfo {
            start_cursor: found.first().map(&cursor),
            end_cursor: found.last().map(&cursor),
            has_next_page: if self.from_back { self.before.is_some() } else { more },
            has_previous_page: if self.from_back { more } else { self.after.is_some() },
        };
        (found, info)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn page(first: Option<u32>, last: Option<u32>) -> Result<Page<u32>, ApiError> {
        let cursor = |text: &str| text.parse().map_err(|_| ApiError::bad_input("cursor"));
        PageRequest { first, last, ..PageRequest::default() }.check(3, cursor)
    }

    #[test]
    fn sizes_are_bounded() {
        assert!(page(Some(0), None).is_err());
        assert!(page(Some(4), None).is_err());
        assert!(page(Some(1), Some(1)).is_err());
        assert_eq!(page(None, None).unwrap().limit, 3);
    }

    #[test]
    fn a_page_from_the_back_is_in_order() {
        let (items, info) = page(None, Some(2)).unwrap().cut(vec![9, 8, 7], |item| Cursor(item.to_string()));
        assert_eq!(items, [8, 9]);
        assert!(info.has_previous_page && !info.has_next_page);
        assert_eq!(info.end_cursor, Some(Cursor("9".into())));
    }
}
