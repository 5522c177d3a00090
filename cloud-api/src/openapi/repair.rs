//! What utoipa's macros write into schemas and would refuse our own answers.

use std::collections::BTreeMap;
use utoipa::openapi::schema::{AdditionalProperties, AllOf, Object, SchemaType};
use utoipa::openapi::{OpenApi, RefOr, Schema};

/// Rewrites the schemas of the document.
pub fn repair(document: &mut OpenApi) {
    let Some(components) = document.components.as_mut() else { return };
    let known: BTreeMap<String, RefOr<Schema>> =
        components.schemas.iter().map(|(name, schema)| (name.clone(), schema.clone())).collect();
    for schema in components.schemas.values_mut() {
        if let RefOr::T(Schema::AllOf(parts)) = schema
            && let Some(whole) = flattened(parts, &known)
        {
            *schema = RefOr::T(Schema::Object(whole));
        }
        if let RefOr::T(Schema::Object(object)) = schema {
            object.properties.values_mut().for_each(untype_default);
        }
    }
}

/// What is flattened into a whole may refuse unknown fields where it stands alone (`deny_unknown_fields`); in the whole
/// it would refuse the fields beside it.
fn flattened(parts: &AllOf, known: &BTreeMap<String, RefOr<Schema>>) -> Option<Object> {
    let objects: Vec<&Object> =
        parts.items.iter().map(|part| object_of(part, known)).collect::<Option<_>>()?;
    if !objects.iter().any(|object| is_closed(object)) {
        return None;
    }
    let mut whole = Object::new();
    whole.description.clone_from(&parts.description);
    for object in objects {
        whole.required.extend(object.required.iter().cloned());
        let fields = object.properties.iter().map(|(name, field)| (name.clone(), field.clone()));
        whole.properties.extend(fields);
    }
    Some(whole)
}

fn object_of<'a>(
    part: &'a RefOr<Schema>,
    known: &'a BTreeMap<String, RefOr<Schema>>,
) -> Option<&'a Object> {
    let schema = match part {
        RefOr::Ref(reference) => known.get(reference.ref_location.rsplit('/').next()?)?,
        RefOr::T(_) => part,
    };
    match schema {
        RefOr::T(Schema::Object(object)) => Some(object),
        _ => None,
    }
}

fn is_closed(object: &Object) -> bool {
    matches!(object.additional_properties.as_deref(), Some(AdditionalProperties::FreeForm(false)))
}

/// The default of an enum stands in an object of its own, which says of the enum that it is an object.
fn untype_default(field: &mut RefOr<Schema>) {
    let RefOr::T(Schema::AllOf(parts)) = field else { return };
    for part in &mut parts.items {
        if let RefOr::T(Schema::Object(object)) = part
            && object.default.is_some()
            && object.properties.is_empty()
        {
            object.schema_type = SchemaType::AnyValue;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    fn schema(name: &str) -> Value {
        let document = serde_json::to_value(crate::router::document()).unwrap();
        document["components"]["schemas"][name].clone()
    }

    #[test]
    fn an_entry_has_the_fields_of_what_is_flattened_into_it_and_its_own() {
        let entry = schema("Entry");

        assert_eq!(entry["additionalProperties"], Value::Null);
        assert!(entry["properties"]["weight_kg"].is_object(), "{entry}");
        assert!(entry["properties"]["updated_at"].is_object(), "{entry}");
        assert_eq!(entry["required"], json!(["id", "source", "updated_at"]));
    }

    #[test]
    fn an_enum_with_a_default_is_text() {
        let units = &schema("Preferences")["properties"]["units"]["allOf"];

        assert_eq!(units[0]["type"], "string");
        assert_eq!(units[1], json!({"default": "metric"}));
    }
}
