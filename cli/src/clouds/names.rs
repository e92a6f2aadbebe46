//! The names of an environment: what was given, else what AWS's parameter store says, else what follows from environment
//! and account.

use serde_json::{Value, json};

use super::{Aws, SSM};
use crate::status::arguments::Place;
use crate::status::facts::Asked;

/// Each one found, or why not.
#[derive(Debug, Clone)]
pub struct Names {
    pub project: Asked<String>,
    pub location: Asked<String>,
    pub export_bucket: Asked<String>,
    pub app_bucket: Asked<String>,
    pub config_bucket: Asked<String>,
}

impl Names {
    pub async fn find(place: &Place, aws: &Asked<Aws>) -> Self {
        let complete = place.project.is_some() && place.location.is_some() && place.export_bucket.is_some();
        let parameters = if complete { Ok(Value::Null) } else { parameters(place, aws).await };
        let of_workflow = |word: &str| {
            let workflow =
                parameters.as_ref().map_err(Clone::clone)?[format!("/isthmus/{}/google-workflow", place.env)].as_str();
            let words = workflow.unwrap_or_default().split('/');
            let found = words.skip_while(|found| *found != word).nth(1).map(str::to_owned);
            found.ok_or_else(|| {
                format!("/isthmus/{}/google-workflow is not there: give --project and --location", place.env)
            })
        };
        let project = given(place.project.as_ref()).unwrap_or_else(|| of_workflow("projects"));
        let location = given(place.location.as_ref()).unwrap_or_else(|| of_workflow("locations"));
        let stored = parameters.as_ref().ok().and_then(|p| p[format!("/isthmus/{}/export-bucket", place.env)].as_str());
        let export_bucket = match (&place.export_bucket, stored, &parameters) {
            (Some(name), ..) => Ok(name.clone()),
            (None, Some(name), _) => Ok(name.to_owned()),
            (None, None, Err(why)) => Err(why.clone()),
            (None, None, Ok(_)) => by_account(place, aws, "export").await,
        };
        let app_bucket = match &place.app_bucket {
            Some(name) => Ok(name.clone()),
            None => by_account(place, aws, "app").await,
        };
        let config_bucket = given(place.config_bucket.as_ref())
            .unwrap_or_else(|| project.clone().map(|project| format!("{project}-isthmus-config")));
        Self { project, location, export_bucket, app_bucket, config_bucket }
    }
}

fn given(name: Option<&String>) -> Option<Asked<String>> {
    name.map(|name| Ok(name.clone()))
}

async fn by_account(place: &Place, aws: &Asked<Aws>, bucket: &str) -> Asked<String> {
    let account = aws.as_ref().map_err(Clone::clone)?.account().await.map_err(|error| format!("{error:#}"))?;
    Ok(format!("isthmus-{}-{bucket}-{account}", place.env))
}

/// By their full names.
async fn parameters(place: &Place, aws: &Asked<Aws>) -> Asked<Value> {
    let names = ["export-bucket", "google-workflow"].map(|name| format!("/isthmus/{}/{name}", place.env));
    let aws = aws.as_ref().map_err(Clone::clone)?;
    let answer = aws.call(SSM, "GetParameters", &json!({"Names": names})).await;
    let answer = answer.map_err(|error| format!("the names in /isthmus/{}: {error:#}", place.env))?;
    let found = answer["Parameters"].as_array().into_iter().flatten();
    Ok(found
        .filter_map(|one| Some((one["Name"].as_str()?.to_owned(), one["Value"].clone())))
        .collect::<serde_json::Map<_, _>>()
        .into())
}
