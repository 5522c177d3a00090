//! Lists come in pages: `?limit=&cursor=` → `{"items": […], "next_cursor": …}`.

use super::error::Error;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use garde::Validate;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Which part of a list is asked for.
#[derive(Debug, Clone, Default, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// How many items at most.
    #[garde(range(min = 1, max = 200))]
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u32>,
    /// Where the last page ended: its `next_cursor`.
    #[garde(length(bytes, min = 1, max = 512))]
    #[param(min_length = 1, max_length = 512)]
    pub cursor: Option<String>,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The items, in the order asked for.
    pub items: Vec<T>,
    /// Ask for the next part with this; null at the end.
    pub next_cursor: Option<String>,
}

/// Where a page of a sorted list ended: the text it is sorted by, and the id that tells equals apart.
#[derive(Debug, Serialize, Deserialize)]
pub struct Place {
    pub key: String,
    pub id: Uuid,
}

/// The sort key of the last item of a page. Clients cannot read meaning into it, but may keep it.
pub trait Cursor: Serialize + DeserializeOwned {
    fn encode(&self) -> String {
        let json = serde_json::to_vec(self).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(json)
    }

    fn decode(text: &str) -> Result<Self, Error> {
        URL_SAFE_NO_PAD
            .decode(text)
            .ok()
            .and_then(|json| serde_json::from_slice(&json).ok())
            .ok_or_else(|| Error::Field {
                field: "cursor",
                code: "invalid",
                message: "is not a cursor of this list".to_owned(),
            })
    }
}

impl<T: Serialize + DeserializeOwned> Cursor for T {}

impl PageQuery {
    /// How many items to answer.
    pub fn limit(&self) -> usize {
        self.limit.unwrap_or(DEFAULT_LIMIT) as usize
    }

    /// How many rows to read: one more tells whether there is a next page.
    pub fn rows(&self) -> i64 {
        i64::from(self.limit.unwrap_or(DEFAULT_LIMIT)) + 1
    }

    /// The cursor, read.
    pub fn after<C: Cursor>(&self) -> Result<Option<C>, Error> {
        self.cursor.as_deref().map(C::decode).transpose()
    }
}

impl<T> Page<T> {
    /// A list that is always short enough for one page.
    pub fn whole(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }

    /// Cuts what was read by [`PageQuery::rows`] to the page; `key` is an item's place in the order.
    pub fn cut<C: Cursor>(mut items: Vec<T>, query: &PageQuery, key: impl Fn(&T) -> C) -> Self {
        let has_more = items.len() > query.limit();
        items.truncate(query.limit());
        let next_cursor = items.last().filter(|_| has_more).map(|last| key(last).encode());
        Self { items, next_cursor }
    }
}

const DEFAULT_LIMIT: u32 = 50;

#[cfg(test)]
mod tests {
    use super::*;

    fn query(limit: u32) -> PageQuery {
        PageQuery { limit: Some(limit), cursor: None }
    }

    #[test]
    fn a_full_page_has_a_cursor_to_its_last_item() {
        let page = Page::cut(vec![1, 2, 3], &query(2), |n| *n);

        assert_eq!(page.items, [1, 2]);
        assert_eq!(i32::decode(&page.next_cursor.unwrap()).unwrap(), 2);
    }

    #[test]
    fn the_last_page_has_no_cursor() {
        assert_eq!(Page::cut(vec![1, 2], &query(2), |n| *n).next_cursor, None);
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        assert!(matches!(i32::decode("?"), Err(Error::Field { field: "cursor", .. })));
        assert!(matches!(i32::decode("e30"), Err(Error::Field { field: "cursor", .. })));
    }
}
