//! A row is named by the text of its key, so a key has one text, whatever anybody sets.

use anyhow::{Result, ensure};
use google_cloud_bigquery_v2::model::TableFieldSchema;

/// CAST writes a TIMESTAMP in the default time zone of the project or dataset, which anybody may change: then every key
/// would be another one.
pub fn ensure_one_text(fields: &[TableFieldSchema], key: &str) -> Result<()> {
    let Some(field) = fields.iter().find(|field| field.name.eq_ignore_ascii_case(key)) else { return Ok(()) };
    let element = field.range_element_type.as_ref().map(|element| element.r#type.as_str());
    ensure!(
        field.r#type != "TIMESTAMP" && element != Some("TIMESTAMP"),
        "the key {key} is a {}, whose text depends on the default time zone: write it as text in the query, such as \
         FORMAT_TIMESTAMP('%FT%TZ', {key}) AS {key}",
        if element.is_some() { "RANGE<TIMESTAMP>" } else { "TIMESTAMP" },
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use google_cloud_bigquery_v2::model::table_field_schema::FieldElementType;

    #[test]
    fn a_key_whose_text_a_time_zone_changes_is_refused() {
        let field = |kind: &str| TableFieldSchema::new().set_name("At").set_type(kind);
        let range = |of: &str| field("RANGE").set_range_element_type(FieldElementType::new().set_type(of));
        for good in
            [field("STRING"), field("DATETIME"), field("DATE"), range("DATE"), field("TIMESTAMP").set_name("other")]
        {
            assert!(ensure_one_text(&[good], "at").is_ok());
        }
        let told = |field| ensure_one_text(&[field], "at").unwrap_err().to_string();
        assert!(told(field("TIMESTAMP")).starts_with("the key at is a TIMESTAMP, whose text depends"));
        assert!(told(range("TIMESTAMP")).starts_with("the key at is a RANGE<TIMESTAMP>, whose text"));
    }
}
