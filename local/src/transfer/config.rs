//! A transfer config: what is checked when one is made or changed.
//! <https://docs.cloud.google.com/bigquery/docs/reference/datatransfer/rest/v1/projects.locations.transferConfigs>

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::data_path::DataPath;
use super::refusal::Refusal;
use super::template::Template;
use crate::bigquery::WriteDisposition;

#[derive(Debug, Clone)]
pub(super) struct Config {
    pub(super) name: String,
    /// As it was given, but for the fields that only the service sets.
    resource: Map<String, Value>,
    pub(super) dataset: String,
    pub(super) params: Params,
}

#[derive(Debug, Clone)]
pub(super) struct Params {
    pub(super) data_path: DataPath,
    pub(super) table: Template,
    pub(super) access_key_id: String,
    /// As a load job names it.
    pub(super) source_format: &'static str,
    pub(super) write: WriteDisposition,
}

const REQUIRED: [&str; 4] = ["data_path", "destination_table_name_template", "access_key_id", "secret_access_key"];
/// Source: "Set up an Amazon S3 data transfer", tab bq.
const OPTIONAL: [&str; 13] = [
    "file_format",
    "write_disposition",
    "max_bad_records",
    "decimal_target_types",
    "ignore_unknown_values",
    "field_delimiter",
    "skip_leading_rows",
    "allow_quoted_newlines",
    "allow_jagged_rows",
    "quote",
    "encoding",
    "preserve_ascii_control_characters",
    "use_avro_logical_types",
];
/// A change of these needs a new config, and the history of the runs is lost.
const FIXED: [&str; 2] = ["data_path", "destination_table_name_template"];
const CHANGEABLE: [&str; 8] = [
    "displayName",
    "params",
    "schedule",
    "scheduleOptions",
    "disabled",
    "notificationPubsubTopic",
    "emailPreferences",
    "dataRefreshWindowDays",
];

impl Config {
    pub(super) fn create(name: String, body: &Value, now: DateTime<Utc>) -> Result<Self, Refusal> {
        let given = body.as_object().ok_or_else(|| Refusal::invalid("the transfer config is not an object"))?;
        let mut resource = given.clone();
        resource.retain(|_, value| !value.is_null());
        for output in ["state", "ownerInfo", "nextRunTime", "error"] {
            resource.remove(output);
        }
        resource.insert("name".into(), name.clone().into());
        resource.insert("updateTime".into(), stamp(now));
        let text = |field: &str| resource.get(field).and_then(Value::as_str).unwrap_or_default();
        if text("dataSourceId") != "amazon_s3" {
            return Err(Refusal::invalid(format!("data source {:?} is not served here", text("dataSourceId"))));
        }
        let dataset = text("destinationDatasetId").to_owned();
        if dataset.is_empty() {
            return Err(Refusal::invalid("destination_dataset_id is required"));
        }
        let params = Params::parse(resource.get("params").unwrap_or(&Value::Null))?;
        Ok(Self { name, resource, dataset, params })
    }

    /// `mask` is the `updateMask`: the fields of `body` that count.
    pub(super) fn patched(&self, body: &Value, mask: &str, now: DateTime<Utc>) -> Result<Self, Refusal> {
        let fields: Vec<&str> = mask.split(',').map(str::trim).filter(|field| !field.is_empty()).collect();
        if fields.is_empty() {
            return Err(Refusal::invalid("update_mask is required"));
        }
        let mut resource = Value::Object(self.resource.clone());
        for field in fields {
            let field = camel_case(field);
            if !CHANGEABLE.contains(&field.as_str()) {
                return Err(Refusal::invalid(format!("{field} cannot be updated")));
            }
            resource[&field] = body[&field].clone();
        }
        // The secret is never shown, so whoever sends the rest back does not have it.
        if resource["params"].is_object() && resource["params"]["secret_access_key"].is_null() {
            resource["params"]["secret_access_key"] = self.resource["params"]["secret_access_key"].clone();
        }
        for fixed in FIXED {
            if resource["params"][fixed] != self.resource["params"][fixed] {
                return Err(Refusal::invalid(format!("{fixed} cannot be updated: create another transfer config")));
            }
        }
        Self::create(self.name.clone(), &resource, now)
    }

    /// As it is answered: the secret stays here.
    pub(super) fn shown(&self) -> Value {
        let mut shown = Value::Object(self.resource.clone());
        shown["params"] = self.shown_params();
        shown
    }

    pub(super) fn shown_params(&self) -> Value {
        let mut params = self.resource.get("params").cloned().unwrap_or_else(|| json!({}));
        if let Some(params) = params.as_object_mut() {
            params.remove("secret_access_key");
        }
        params
    }
}

impl Params {
    fn parse(params: &Value) -> Result<Self, Refusal> {
        let params = params.as_object().ok_or_else(|| Refusal::invalid("params is required"))?;
        for (name, value) in params {
            if !REQUIRED.contains(&name.as_str()) && !OPTIONAL.contains(&name.as_str()) {
                return Err(Refusal::invalid(format!("amazon_s3 has no parameter {name}")));
            }
            if !value.is_string() {
                return Err(Refusal::invalid(format!("parameter {name} must be a string")));
            }
        }
        let text = |name: &str| params.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        if let Some(missing) = REQUIRED.into_iter().find(|name| text(name).is_none()) {
            return Err(Refusal::invalid(format!("parameter {missing} is required")));
        }
        if text("max_bad_records").is_some_and(|number| number.parse::<u32>().is_err()) {
            return Err(Refusal::invalid("parameter max_bad_records must be a whole number"));
        }
        let table = Template::parse(text("destination_table_name_template").unwrap_or_default());
        Ok(Self {
            data_path: DataPath::parse(text("data_path").unwrap_or_default()).map_err(Refusal::invalid)?,
            table: table.map_err(Refusal::invalid)?,
            access_key_id: text("access_key_id").unwrap_or_default().to_owned(),
            source_format: source_format(text("file_format").unwrap_or("CSV"))?,
            write: write_disposition(text("write_disposition").unwrap_or("WRITE_APPEND"))?,
        })
    }
}

fn source_format(name: &str) -> Result<&'static str, Refusal> {
    match name {
        "CSV" => Ok("CSV"),
        "JSON" => Ok("NEWLINE_DELIMITED_JSON"),
        "AVRO" => Ok("AVRO"),
        "PARQUET" => Ok("PARQUET"),
        "ORC" => Ok("ORC"),
        _ => Err(Refusal::invalid(format!("file_format {name:?} is not CSV, JSON, AVRO, PARQUET or ORC"))),
    }
}

fn write_disposition(name: &str) -> Result<WriteDisposition, Refusal> {
    match name {
        "WRITE_APPEND" => Ok(WriteDisposition::Append),
        "WRITE_TRUNCATE" => Ok(WriteDisposition::Truncate),
        _ => Err(Refusal::invalid(format!("write_disposition {name:?} is not WRITE_APPEND or WRITE_TRUNCATE"))),
    }
}

pub(super) fn stamp(time: DateTime<Utc>) -> Value {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true).into()
}

/// A field mask may come as `display_name`; `params.data_path` means all of `params`, as in the real service.
fn camel_case(field: &str) -> String {
    let mut words = field.split('.').next().unwrap_or_default().split('_');
    let mut name = words.next().unwrap_or_default().to_owned();
    for word in words {
        let (first, rest) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
        name.push_str(&first.to_uppercase());
        name.push_str(rest);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body() -> Value {
        json!({
            "displayName": "isthmus prod shop.orders",
            "dataSourceId": "amazon_s3",
            "destinationDatasetId": "raw_shop",
            "params": {
                "data_path": "s3://b/d/*.parquet",
                "destination_table_name_template": "orders",
                "access_key_id": "AKIA",
                "secret_access_key": "secret",
            },
        })
    }

    fn create(change: impl FnOnce(&mut Value)) -> Result<Config, String> {
        let mut body = body();
        change(&mut body);
        Config::create("n".into(), &body, DateTime::UNIX_EPOCH).map_err(|refusal| refusal.message)
    }

    #[test]
    fn what_is_not_said_is_csv_and_append() {
        let config = create(|_| ()).unwrap();
        assert_eq!((config.params.source_format, config.params.write), ("CSV", WriteDisposition::Append));
    }

    #[test]
    fn the_secret_is_never_shown() {
        let shown = create(|_| ()).unwrap().shown();
        assert_eq!(shown["params"]["access_key_id"], "AKIA");
        assert!(!shown.to_string().contains("secret"), "{shown}");
    }

    #[test]
    fn what_the_service_would_refuse_is_refused() {
        let refused = |change: fn(&mut Value)| create(change).unwrap_err();
        assert_eq!(refused(|b| b["dataSourceId"] = "s3".into()), "data source \"s3\" is not served here");
        assert_eq!(refused(|b| b["destinationDatasetId"] = "".into()), "destination_dataset_id is required");
        assert_eq!(refused(|b| b["params"] = Value::Null), "params is required");
        assert_eq!(refused(|b| b["params"]["access_key_id"] = "".into()), "parameter access_key_id is required");
        assert_eq!(
            refused(|b| b["params"]["max_bad_records"] = 0.into()),
            "parameter max_bad_records must be a string"
        );
        assert_eq!(
            refused(|b| b["params"]["max_bad_records"] = "few".into()),
            "parameter max_bad_records must be a whole number"
        );
        assert_eq!(refused(|b| b["params"]["path"] = "x".into()), "amazon_s3 has no parameter path");
        assert_eq!(
            refused(|b| b["params"]["file_format"] = "parquet".into()),
            "file_format \"parquet\" is not CSV, JSON, AVRO, PARQUET or ORC"
        );
        assert_eq!(
            refused(|b| b["params"]["write_disposition"] = "MIRROR".into()),
            "write_disposition \"MIRROR\" is not WRITE_APPEND or WRITE_TRUNCATE"
        );
        assert_eq!(
            refused(|b| b["params"]["data_path"] = "s3://{run_date}/x".into()),
            "data_path \"s3://{run_date}/x\": the bucket can be neither a parameter nor a wildcard"
        );
    }

    #[test]
    fn a_path_and_a_destination_are_for_good() {
        let config = create(|_| ()).unwrap();
        let mut change = config.shown();
        change["params"]["data_path"] = "s3://b/e/*.parquet".into();
        let refused = config.patched(&change, "params", DateTime::UNIX_EPOCH).unwrap_err();
        assert_eq!(refused.message, "data_path cannot be updated: create another transfer config");
    }

    #[test]
    fn only_the_fields_of_the_mask_change_and_the_secret_stays() {
        let config = create(|_| ()).unwrap();
        let mut change = config.shown();
        change["displayName"] = "other".into();
        change["params"]["file_format"] = "PARQUET".into();
        let patched = config.patched(&change, "params", DateTime::UNIX_EPOCH).unwrap();
        assert_eq!(patched.shown()["displayName"], "isthmus prod shop.orders");
        assert_eq!(patched.params.source_format, "PARQUET");
        let patched = patched.patched(&change, "display_name", DateTime::UNIX_EPOCH).unwrap();
        assert_eq!(patched.shown()["displayName"], "other");
        for bad in ["", "name", "data_source_id"] {
            assert!(config.patched(&change, bad, DateTime::UNIX_EPOCH).is_err(), "{bad}");
        }
    }
}
