//! The JSON Schema of a settings file, for editors and for checks before a deployment.

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema};
use serde_json::Value;

/// As it is written beside the file.
pub fn schema_of<File: JsonSchema>() -> Value {
    // Editors know draft 7 best.
    let mut schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<File>();
    RecursiveTransform(never_null).transform(&mut schema);
    schema.into()
}

/// A setting is left out, not set to nothing.
fn never_null(schema: &mut Schema) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [name] = &types[..] {
            let name = name.clone();
            schema.insert("type".into(), name);
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| choice["type"] != "null");
    }
}
