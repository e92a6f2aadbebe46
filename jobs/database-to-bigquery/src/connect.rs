//! From what the deployment sets to what the job works with.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use aws_config::SdkConfig;
use aws_lc_rs::hmac;
use google_cloud_auth::credentials::{Builder as GoogleCredentials, Credentials};
use keyless::google::Google;

use crate::address::{Login, Server};
use crate::config::{Config, ServerSettings};
use crate::destination::{BigQuery, Place};
use crate::extracts::Source;
use crate::run::Clouds;
use crate::source::Connector;

pub async fn connect(config: &Config) -> Result<Clouds> {
    // For the databases' TLS. Where a library has chosen a provider, that one stays.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let aws = aws(config).await;
    let google = google(config, aws.as_ref())?;
    let place = Place {
        endpoint: config.bigquery_endpoint.clone(),
        project: config.project.clone(),
        location: config.location.clone(),
        scratch: config.scratch.clone(),
        audit: config.audit.clone(),
        give_up_after: config.give_up_after,
    };
    let bigquery = BigQuery::connect(place, &google).await?;
    let mut connectors = BTreeMap::new();
    for database in &config.extracts.databases {
        let connector = match (&database.source, config.servers.get(&database.name)) {
            (Source::Program(words), _) => Connector::Program(words.clone()),
            (Source::Server { engine, .. }, Some(settings)) => {
                Connector::Server(*engine, Box::new(server(&database.name, settings, config, aws.as_ref())?))
            }
            (Source::Server { .. }, None) => continue,
        };
        connectors.insert(database.name.clone(), connector);
    }
    let hmac = config.mask_key.as_ref().map(|key| hmac::Key::new(hmac::HMAC_SHA256, key.0.as_bytes()));
    let (dir, parallel, lease) = (config.work_dir.clone(), config.parallel, config.lease);
    Ok(Clouds { bigquery, connectors, hmac, dir, parallel, holder: config.holder.clone(), lease })
}

/// On AWS the task's role becomes a service account; on Google Cloud the platform knows it.
fn google(config: &Config, aws: Option<&SdkConfig>) -> Result<Credentials> {
    match &config.google {
        Some(google) => {
            let google = Google::new(google.clone(), aws.context("AWS_REGION is not set")?);
            Ok(google.context("trust the certificates of Google")?.credentials_of_clients())
        }
        None => GoogleCredentials::default().build().context("find the credentials of the service account"),
    }
}

/// Of the task, where a database asks for it: to look for it elsewhere takes seconds.
async fn aws(config: &Config) -> Option<SdkConfig> {
    let needed = config.google.is_some() || config.servers.values().any(|settings| settings.password.is_none());
    let region = config.aws_region.clone().filter(|_| needed)?;
    Some(startup::aws_config().region(aws_config::Region::new(region)).load().await)
}

fn server(name: &str, settings: &ServerSettings, config: &Config, aws: Option<&SdkConfig>) -> Result<Server> {
    let login = match &settings.password {
        Some(password) => Login::Password(password.0.clone()),
        None => Login::Iam(Box::new(aws.context("AWS_REGION is not set")?.clone())),
    };
    let address = settings.address.clone();
    let database = address.database.clone().unwrap_or_else(|| name.to_owned());
    Ok(Server { address, login, ca_file: config.ca_file.clone(), database })
}
