//! The JSON Schema of `tables.yaml`, for editors: `config/tables.schema.json`.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::TableList;

/// As it is written to `config/tables.schema.json`.
pub fn table_list_schema() -> Value {
    // Editors know draft 7 best.
    let mut schema: Value = SchemaSettings::draft07().into_generator().into_root_schema_for::<TableList>().into();
    never_null(&mut schema);
    schema
}

/// A setting is left out, not set to nothing.
fn never_null(part: &mut Value) {
    if let Some(Value::Array(types)) = part.get_mut("type") {
        types.retain(|name| name != "null");
        if let [name] = &types[..] {
            part["type"] = name.clone();
        }
    }
    if let Some(Value::Array(mut kinds)) = part.get("anyOf").cloned() {
        kinds.retain(|kind| kind["type"] != "null");
        part["allOf"] = kinds.into();
        part.as_object_mut().map(|part| part.remove("anyOf"));
    }
    match part {
        Value::Object(map) => map.values_mut().for_each(never_null),
        Value::Array(list) => list.iter_mut().for_each(never_null),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn config(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config").join(name)
    }

    #[test]
    fn the_schema_file_is_what_the_code_says() {
        let (file, current) = (config("tables.schema.json"), format!("{:#}\n", table_list_schema()));
        if std::env::var_os("WRITE_SCHEMA").is_some() {
            std::fs::write(&file, &current).unwrap();
        }
        assert!(
            std::fs::read_to_string(&file).unwrap_or_default() == current,
            "tables.schema.json is not what the code says; \
             WRITE_SCHEMA=1 cargo test -p handoff --all-features schema_file writes it"
        );
    }

    #[test]
    fn the_sample_file_is_good() {
        let list = TableList::read(&config("tables.yaml")).unwrap();
        assert_eq!(list.transfers(&"stg".parse().unwrap()).unwrap()[0].source.to_string(), "shop.customers");
    }

    #[test]
    fn no_mapping_of_settings_lets_in_other_names_or_null() {
        let schema = table_list_schema();
        let closed = |part: &Value| part["additionalProperties"] == false;
        assert!(closed(&schema) && closed(&schema["definitions"]["Database"]), "{schema:#}");
        assert!(closed(&schema["definitions"]["TableEntry"]) && !schema.to_string().contains("\"null\""), "{schema:#}");
    }
}
