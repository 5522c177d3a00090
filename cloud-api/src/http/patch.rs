//! Bodies that change a part of something: JSON merge patch (RFC 7396). What is left out stays, null clears.

use super::error::{Error, Refusal, Result};
use super::extract::Json;
use anyhow::Context;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use garde::Validate;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::marker::PhantomData;

/// What is to be different about a `T`.
#[derive(Debug)]
pub struct Patch<T> {
    fields: Map<String, Value>,
    of: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned + Validate<Context = ()>> Patch<T> {
    /// The whole as it is afterwards, with its rules checked.
    pub fn applied_to(self, present: &T) -> Result<T> {
        applied(self.fields, present)
    }
}

impl<S, T> FromRequest<S> for Patch<T>
where
    S: Send + Sync,
    T: Default + Serialize + DeserializeOwned + Validate<Context = ()>,
{
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        let Json(fields) = Json::<Map<String, Value>>::from_request(request, state).await?;
        // What fits nothing is refused before anything is looked for.
        applied(fields.clone(), &T::default())?;
        Ok(Self { fields, of: PhantomData })
    }
}

fn applied<T: Serialize + DeserializeOwned + Validate<Context = ()>>(
    fields: Map<String, Value>,
    present: &T,
) -> Result<T> {
    let mut whole = serde_json::to_value(present).context("cannot be written")?;
    merge(&mut whole, Value::Object(fields));
    let changed: T = serde_json::from_value(whole).map_err(|error| {
        Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "validation_failed")
            .detail(error.to_string())
    })?;
    changed.validate()?;
    Ok(changed)
}

fn merge(present: &mut Value, change: Value) {
    let Value::Object(change) = change else {
        *present = change;
        return;
    };
    if !present.is_object() {
        *present = Value::Object(Map::new());
    }
    let Some(fields) = present.as_object_mut() else { return };
    for (name, value) in change {
        if value.is_null() {
            // Kept as null, so that a field that cannot be cleared is refused.
            fields.insert(name, Value::Null);
        } else {
            merge(fields.entry(name).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_left_out_stays_and_null_clears() {
        let mut whole = json!({"name": "Ada", "bio": "x", "cm": {"waist": 70, "hips": 90}});

        merge(&mut whole, json!({"bio": null, "cm": {"waist": 71}, "size": {"a": 1}}));

        let expected = json!({
            "name": "Ada", "bio": null, "cm": {"waist": 71, "hips": 90}, "size": {"a": 1},
        });
        assert_eq!(whole, expected);
    }

    #[test]
    fn a_list_is_replaced_whole() {
        let mut whole = json!({"goals": ["a", "b"]});

        merge(&mut whole, json!({"goals": ["c"]}));

        assert_eq!(whole, json!({"goals": ["c"]}));
    }
}
