//! Examples of bodies, put together from the examples of their fields.

use serde_json::{Map, Value, json};

/// A value that a schema describes, with the examples that its fields name.
pub fn example_of(schema: &Value, schemas: &Value) -> Value {
    if !schema["example"].is_null() {
        return schema["example"].clone();
    }
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return example_of(&schemas[name], schemas);
    }
    for several in ["oneOf", "anyOf"] {
        let mut kinds = schema[several].as_array().into_iter().flatten();
        if let Some(kind) = kinds.find(|kind| kind["type"] != "null") {
            return example_of(kind, schemas);
        }
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let parts = parts.iter().map(|part| example_of(part, schemas));
        let fields = parts.filter_map(|part| part.as_object().cloned()).flatten();
        return Value::Object(fields.collect());
    }
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    plain(schema, schemas)
}

fn plain(schema: &Value, schemas: &Value) -> Value {
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    match kind.unwrap_or_default() {
        "object" => object(schema, schemas),
        "array" => json!([example_of(&schema["items"], schemas)]),
        "integer" | "number" => schema.get("minimum").cloned().unwrap_or(json!(1)),
        "boolean" => json!(false),
        "string" => text(schema),
        _ => Value::Null,
    }
}

fn object(schema: &Value, schemas: &Value) -> Value {
    let properties = schema["properties"].as_object().into_iter().flatten();
    let fields = properties.map(|(name, field)| (name.clone(), example_of(field, schemas)));
    Value::Object(fields.collect::<Map<_, _>>())
}

fn text(schema: &Value) -> Value {
    match schema["format"].as_str() {
        Some("uuid") => json!("01900000-0000-7000-8000-000000000000"),
        Some("date-time") => json!("2026-01-01T12:00:00Z"),
        Some("date") => json!("2026-01-01"),
        Some("password") => json!("marble otter sings 7 tangos"),
        _ => json!("text"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_bring_their_own_examples_and_the_rest_fits_its_type() {
        let schemas = json!({
            "Device": {"type": "object", "properties": {"id": {"type": "string", "example": "a"}}},
            "Color": {"type": "string", "enum": ["red", "blue"]},
        });
        let schema = json!({"type": "object", "properties": {
            "device": {"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/Device"}]},
            "colors": {"type": "array", "items": {"$ref": "#/components/schemas/Color"}},
            "weight": {"type": ["integer", "null"], "minimum": 5},
        }});

        let example = example_of(&schema, &schemas);

        assert_eq!(example, json!({"device": {"id": "a"}, "colors": ["red"], "weight": 5}));
    }
}
