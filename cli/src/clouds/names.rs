//! The names of an environment: what was given, else what AWS's parameter store says, else what follows from environment
//! and account.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Aws, SSM};
use crate::status::arguments::Place;
use crate::status::facts::Asked;

/// Of `/isthmus/ENV/`: terraform/aws makes them.
const PARAMETERS: [&str; 4] = ["app-bucket", "export-bucket", "google-workflow", "kms-key-arn"];

/// Each one found, or why not.
#[derive(Debug, Clone)]
pub struct Names {
    pub project: Asked<String>,
    pub location: Asked<String>,
    pub export_bucket: Asked<String>,
    pub app_bucket: Asked<String>,
    pub config_bucket: Asked<String>,
    /// The key of the product, as an ARN.
    pub kms_key: Asked<String>,
}

impl Names {
    pub async fn find(place: &Place, aws: &Asked<Aws>) -> Self {
        let parameters = parameters(place, aws).await;
        let stored = |name: &str| parameters.as_ref().map(|found| found.get(name).cloned()).map_err(Clone::clone);
        let missing = |name: &str, give: &str| format!("/isthmus/{}/{name} is not there: {give}", place.env);
        let of_workflow = |word: &str| {
            let workflow = stored("google-workflow")?.unwrap_or_default();
            let found = workflow.split('/').skip_while(|found| *found != word).nth(1).map(str::to_owned);
            found.ok_or_else(|| missing("google-workflow", "give --project and --location"))
        };
        let project = given(place.project.as_ref()).unwrap_or_else(|| of_workflow("projects"));
        let location = given(place.location.as_ref()).unwrap_or_else(|| of_workflow("locations"));
        let bucket = async |name: &Option<String>, kind: &str| match (name, stored(&format!("{kind}-bucket"))) {
            (Some(name), _) => Ok(name.clone()),
            (None, Ok(Some(name))) => Ok(name),
            (None, Ok(None)) => by_account(place, aws, kind).await,
            (None, Err(why)) => Err(why),
        };
        let export_bucket = bucket(&place.export_bucket, "export").await;
        let app_bucket = bucket(&place.app_bucket, "app").await;
        let kms_key =
            stored("kms-key-arn").and_then(|key| key.ok_or_else(|| missing("kms-key-arn", "apply terraform/aws")));
        let config_bucket = given(place.config_bucket.as_ref())
            .unwrap_or_else(|| project.clone().map(|project| format!("{project}-isthmus-config")));
        Self { project, location, export_bucket, app_bucket, config_bucket, kms_key }
    }
}

fn given(name: Option<&String>) -> Option<Asked<String>> {
    name.map(|name| Ok(name.clone()))
}

async fn by_account(place: &Place, aws: &Asked<Aws>, bucket: &str) -> Asked<String> {
    let account = aws.as_ref().map_err(Clone::clone)?.account().await.map_err(|error| format!("{error:#}"))?;
    Ok(format!("isthmus-{}-{bucket}-{account}", place.env))
}

/// What there is of them, by the last word of their names.
async fn parameters(place: &Place, aws: &Asked<Aws>) -> Asked<BTreeMap<String, String>> {
    let begin = format!("/isthmus/{}/", place.env);
    let names = PARAMETERS.map(|name| format!("{begin}{name}"));
    let aws = aws.as_ref().map_err(Clone::clone)?;
    let answer = aws.call(SSM, "GetParameters", &json!({"Names": names})).await;
    let answer = answer.map_err(|error| format!("the names in /isthmus/{}: {error:#}", place.env))?;
    let found = answer["Parameters"].as_array().into_iter().flatten();
    let pair =
        |one: &Value| Some((one["Name"].as_str()?.strip_prefix(&begin)?.to_owned(), one["Value"].as_str()?.to_owned()));
    Ok(found.filter_map(pair).collect())
}
