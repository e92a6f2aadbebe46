//! The transfer config of a table, refused where it would not load what the proof expects. Pure.

use google_cloud_bigquery_datatransfer_v1::model::TransferConfig;
use handoff::{Environment, FixedZone, TransferTable};

/// What the path of every config is made of.
#[derive(Debug, Clone)]
pub struct Source {
    pub bucket: String,
    pub env: Environment,
    pub zone: FixedZone,
}

pub fn config_of<'a>(
    configs: &'a [TransferConfig],
    table: &TransferTable,
    source: &Source,
) -> Result<&'a TransferConfig, String> {
    let named: Vec<&TransferConfig> = configs.iter().filter(|c| c.display_name == table.display_name).collect();
    let name = &table.display_name;
    match named[..] {
        [] => Err(format!("there is no transfer config named {name:?}: run terraform apply")),
        [config] => match differences(config, table, source)[..] {
            [] => Ok(config),
            ref different => Err(format!("transfer config {name:?} has {}: run terraform apply", different.join(", "))),
        },
        _ => Err(format!("{} transfer configs are named {name:?}: delete all but Terraform's", named.len())),
    }
}

fn differences(config: &TransferConfig, table: &TransferTable, source: &Source) -> Vec<String> {
    let param = |name: &str| config.params.as_ref()?.get(name)?.as_str();
    let path = table.data_path(&source.bucket, &source.env, source.zone);
    let pairs = [
        ("the dataset", config.destination_dataset_id().map(String::as_str), table.dataset.as_str()),
        ("the table", param("destination_table_name_template"), &table.table),
        // Another path loads another day, another environment or another table.
        ("data_path", param("data_path"), &path),
        // The service's defaults are CSV, which loads nonsense, and WRITE_APPEND, which doubles the rows of a repeat.
        ("file_format", param("file_format"), "PARQUET"),
        ("write_disposition", param("write_disposition"), "WRITE_TRUNCATE"),
    ];
    let different = pairs.into_iter().filter(|(_, found, wanted)| found.unwrap_or_default() != *wanted);
    different.map(|(what, found, wanted)| format!("{what} {:?}, not {wanted:?}", found.unwrap_or_default())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use google_cloud_bigquery_datatransfer_v1::model::transfer_config::Destination;
    use serde_json::{Value, json};

    const NAME: &str = "isthmus prod shop.orders";

    fn table() -> TransferTable {
        let list = json!({"databases": {"shop": {"tables": {"orders": {}}}}});
        let list: handoff::TableList = serde_json::from_value(list).unwrap();
        list.transfers(&"prod".parse().unwrap()).unwrap().remove(0)
    }

    fn config(dataset: &str, params: &Value) -> TransferConfig {
        TransferConfig::new()
            .set_name("projects/1/locations/l/transferConfigs/c")
            .set_display_name(NAME)
            .set_params(params.as_object().unwrap().clone())
            .set_destination(Some(Destination::DestinationDatasetId(dataset.into())))
    }

    fn params() -> Value {
        json!({"destination_table_name_template": "orders", "file_format": "PARQUET", "write_disposition": "WRITE_TRUNCATE",
            "data_path": "s3://exports/prod-{run_time+9h|\"%Y%m%d\"}/shop/shop.orders/*.parquet"})
    }

    fn of(configs: &[TransferConfig]) -> Result<String, String> {
        let source = Source { bucket: "exports".into(), env: "prod".parse().unwrap(), zone: FixedZone::TOKYO };
        config_of(configs, &table(), &source).map(|config| config.name.clone())
    }

    #[test]
    fn the_one_that_terraform_made_is_found_by_its_name() {
        let good = config("raw_shop", &params());
        assert_eq!(of(std::slice::from_ref(&good)).unwrap(), "projects/1/locations/l/transferConfigs/c");
        assert_eq!(of(&[]).unwrap_err(), format!("there is no transfer config named {NAME:?}: run terraform apply"));
        assert_eq!(
            of(&[good.clone(), good]).unwrap_err(),
            format!("2 transfer configs are named {NAME:?}: delete all but Terraform's")
        );
    }

    #[test]
    fn one_that_would_not_load_this_table_is_refused() {
        assert_eq!(
            of(&[config("raw_test", &params())]).unwrap_err(),
            format!("transfer config {NAME:?} has the dataset \"raw_test\", not \"raw_shop\": run terraform apply")
        );
        let without = |param: &str| {
            let mut params = params();
            params.as_object_mut().unwrap().remove(param);
            of(&[config("raw_shop", &params)]).unwrap_err()
        };
        assert!(without("file_format").ends_with("has file_format \"\", not \"PARQUET\": run terraform apply"));
        assert!(without("write_disposition").contains("has write_disposition \"\", not \"WRITE_TRUNCATE\""));
        assert!(without("destination_table_name_template").contains("has the table \"\", not \"orders\""));
    }

    #[test]
    fn a_path_that_differs_in_anything_is_refused_and_everything_wrong_is_named() {
        for (from, to) in [
            ("exports", "exports-old"),
            ("prod-", "stg-"),
            ("+9h", "+8h"),
            ("+9h", ""),
            ("shop.orders", "shop.order"),
            ("*.parquet", "1/*.parquet"),
        ] {
            let mut params = params();
            let path = params["data_path"].as_str().unwrap().replace(from, to);
            params["data_path"] = path.clone().into();
            let refused = of(&[config("raw_shop", &params)]).unwrap_err();
            assert!(refused.contains(&format!("has data_path {path:?}, not ")), "{refused}");
        }
        let all = of(&[config("raw_test", &json!({}))]).unwrap_err();
        for what in ["the dataset", "the table", "data_path", "file_format", "write_disposition"] {
            assert!(all.contains(what), "{all}");
        }
    }
}
