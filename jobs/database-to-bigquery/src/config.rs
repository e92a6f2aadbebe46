//! What the deployment sets: every variable and the list of extracts are read and checked before anything is done.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use bigquery::{DatasetId, ProjectId};
use chrono_tz::Tz;
use keyless::google::{Endpoints, GoogleConfig};
use startup::Vars;

use crate::address::Address;
use crate::extracts::{Auth, Database, Extracts, Mask, Source, variable_suffix};

/// Where the image has Amazon's certificates.
const CA_FILE: &str = "/etc/isthmus/rds-global-bundle.pem";
/// A key for HMAC that can be guessed protects nothing.
const MASK_KEY_BYTES: usize = 16;

#[derive(Debug, Clone)]
pub struct Config {
    pub extracts: Extracts,
    /// By the databases' names; programs have none.
    pub servers: BTreeMap<String, ServerSettings>,
    pub ca_file: PathBuf,
    pub mask_key: Option<MaskKey>,
    /// For tokens of IAM.
    pub aws_region: Option<String>,
    pub project: ProjectId,
    /// Where the datasets are: `asia-northeast1`.
    pub location: String,
    pub audit: DatasetId,
    pub scratch: DatasetId,
    pub work_dir: PathBuf,
    pub parallel: usize,
    pub give_up_after: Duration,
    pub lease: Duration,
    /// This execution, in the words of the platform.
    pub holder: String,
    /// Whose day a load is of.
    pub time_zone: Tz,
    /// On AWS: as whom the program is at Google. Elsewhere the platform says it.
    pub google: Option<GoogleConfig>,
    pub bigquery_endpoint: Option<String>,
}

#[derive(Debug, Clone)]
pub struct ServerSettings {
    pub address: Address,
    /// None for IAM.
    pub password: Option<Password>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct InvalidConfig(Vec<String>);

impl Config {
    /// Tells everything that is wrong at once: the variables, and the list of extracts where it can be found.
    pub fn read(mut vars: Vars) -> Result<Self, InvalidConfig> {
        let mut problems = Vec::new();
        let extracts = extracts(&mut vars, &mut problems);
        let servers = extracts.as_ref().and_then(|extracts| servers(&extracts.databases, &mut vars, &mut problems));
        let ca_file = vars.or("DATABASE_CA_FILE", PathBuf::from(CA_FILE));
        let masks = extracts.as_ref().is_some_and(uses_hmac);
        let mask_key = if masks { vars.required("MASK_KEY").map(Some) } else { vars.optional("MASK_KEY") };
        let on_aws = vars.optional::<String>("GOOGLE_AUDIENCE") != Some(None);
        let on_aws = on_aws || extracts.as_ref().is_some_and(uses_iam);
        let aws_region = if on_aws { vars.required("AWS_REGION").map(Some) } else { vars.optional("AWS_REGION") };
        let project = vars.required("GOOGLE_CLOUD_PROJECT");
        let location = vars.required("BIGQUERY_LOCATION");
        let audit = vars.or("AUDIT_DATASET", DatasetId::from_static("isthmus_audit"));
        let scratch = vars.or("SCRATCH_DATASET", DatasetId::from_static("isthmus_scratch"));
        let work_dir = vars.or("WORK_DIR", std::env::temp_dir());
        let parallel = vars.or("PARALLEL_TABLES", Whole::<1, 16>(2));
        let give_up = vars.or("GIVE_UP_MINUTES", Whole::<1, 1440>(15));
        let lease = vars.or("LEASE_SECONDS", Whole::<2, 3600>(60));
        let host = vars.or("HOSTNAME", "by hand".to_owned());
        let time_zone = vars.or("EXPORT_TIMEZONE", chrono_tz::Asia::Tokyo);
        let google = google(&mut vars);
        let bigquery_endpoint = vars.optional("BIGQUERY_ENDPOINT");
        // None where any part was wrong; which ones, `vars` and `problems` know.
        let complete = || {
            Some(Self {
                extracts: extracts?,
                servers: servers?,
                ca_file: ca_file?,
                mask_key: mask_key?,
                aws_region: aws_region?,
                project: project?,
                location: location?,
                audit: audit?,
                scratch: scratch?,
                work_dir: work_dir?,
                parallel: parallel?.0,
                give_up_after: Duration::from_mins(give_up?.0 as u64),
                lease: Duration::from_secs(lease?.0 as u64),
                holder: format!("{} ({})", host?, uuid::Uuid::new_v4().simple()),
                time_zone: time_zone?,
                google: google?,
                bigquery_endpoint: bigquery_endpoint?,
            })
        };
        complete().filter(|_| problems.is_empty()).ok_or_else(|| {
            let variables = vars.invalid().to_string();
            let said = (variables != "environment: ").then_some(variables);
            InvalidConfig(said.into_iter().chain(problems.clone()).collect())
        })
    }
}

/// The text itself where a platform mounts no files, else the file.
fn extracts(vars: &mut Vars, problems: &mut Vec<String>) -> Option<Extracts> {
    let read = match (vars.optional::<String>("EXTRACTS")?, vars.optional::<PathBuf>("EXTRACTS_FILE")?) {
        (Some(text), None) => Extracts::parse(&text, Path::new("EXTRACTS")).map_err(|invalid| invalid.to_string()),
        (None, Some(file)) => Extracts::read(&file).map_err(|invalid| invalid.to_string()),
        (None, None) => Err("neither EXTRACTS_FILE nor EXTRACTS is set: the list of tables".to_owned()),
        (Some(_), Some(_)) => Err("EXTRACTS_FILE and EXTRACTS are both set: one of them must be the list".to_owned()),
    };
    read.map_err(|wrong| problems.push(wrong)).ok()
}

/// The role of the task becomes a service account of Google; two variables that are set together, or not at all.
#[allow(clippy::option_option)] // as `Vars::optional`
fn google(vars: &mut Vars) -> Option<Option<GoogleConfig>> {
    let together = ["GOOGLE_AUDIENCE", "GOOGLE_SERVICE_ACCOUNT"];
    if together.iter().all(|name| vars.optional::<String>(name) == Some(None)) {
        return Some(None);
    }
    let default = Endpoints::default();
    let audience = vars.required("GOOGLE_AUDIENCE");
    let service_account = vars.required("GOOGLE_SERVICE_ACCOUNT");
    let sts = vars.or("GOOGLE_STS_ENDPOINT", default.sts);
    let iam_credentials = vars.or("GOOGLE_IAM_CREDENTIALS_ENDPOINT", default.iam_credentials);
    let endpoints = Endpoints { sts: sts?, iam_credentials: iam_credentials? };
    Some(Some(GoogleConfig { audience: audience?, service_account: service_account?, endpoints }))
}

/// `DATABASE_URL_{NAME}` and `DATABASE_PASSWORD_{NAME}` for each database that is a server.
fn servers(
    databases: &[Database],
    vars: &mut Vars,
    problems: &mut Vec<String>,
) -> Option<BTreeMap<String, ServerSettings>> {
    let mut servers = BTreeMap::new();
    let mut complete = true;
    for database in databases {
        let Source::Server { engine, auth } = database.source else { continue };
        let suffix = variable_suffix(&database.name);
        let url = format!("DATABASE_URL_{suffix}");
        let address = vars.required::<Address>(&url);
        let password = match auth {
            Auth::Secret => vars.required::<Password>(&format!("DATABASE_PASSWORD_{suffix}")).map(Some),
            Auth::Iam => Some(None),
        };
        let (Some(address), Some(password)) = (address, password) else {
            complete = false;
            continue;
        };
        if address.engine != engine {
            problems.push(format!("{url} is of another engine than database {} of the list", database.name));
        }
        if auth == Auth::Iam && !address.tls {
            problems.push(format!("{url}: auth iam sends its token as it is, and needs TLS"));
        }
        servers.insert(database.name.clone(), ServerSettings { address, password });
    }
    complete.then_some(servers)
}

fn uses_hmac(extracts: &Extracts) -> bool {
    extracts.tables().any(|table| table.columns.mask.values().any(|mask| *mask == Mask::Hmac))
}

fn uses_iam(extracts: &Extracts) -> bool {
    extracts.databases.iter().any(|database| matches!(database.source, Source::Server { auth: Auth::Iam, .. }))
}

/// Never shown.
#[derive(Clone)]
pub struct Password(pub String);

impl FromStr for Password {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self(text.to_owned()))
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Never shown.
#[derive(Clone)]
pub struct MaskKey(pub String);

impl FromStr for MaskKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let long = text.len() >= MASK_KEY_BYTES;
        long.then(|| Self(text.to_owned()))
            .ok_or_else(|| format!("has fewer than {MASK_KEY_BYTES} bytes, which can be guessed"))
    }
}

impl std::fmt::Debug for MaskKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MaskKey(…)")
    }
}

#[derive(Debug, Clone, Copy)]
struct Whole<const MIN: usize, const MAX: usize>(usize);

impl<const MIN: usize, const MAX: usize> FromStr for Whole<MIN, MAX> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.parse().ok().filter(|number| (MIN..=MAX).contains(number));
        number.map(Self).ok_or_else(|| format!("{text:?} is not a whole number from {MIN} to {MAX}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "databases:\n  shop:\n    engine: mysql\n    tables:\n      users: {mask: {email: hmac}}\n  web-app:\n    \
                        engine: postgres\n    auth: iam\n    dataset: raw_app\n    tables: {users: {}}\n";

    fn read(list: &str, pairs: &[(&str, &str)]) -> Result<Config, String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("extracts.yaml");
        std::fs::write(&file, list).unwrap();
        let file = [("EXTRACTS_FILE", file.to_str().unwrap())];
        Config::read(Vars::from_pairs(file.into_iter().chain(pairs.iter().copied()))).map_err(|wrong| wrong.to_string())
    }

    const GOOD: [(&str, &str); 7] = [
        ("DATABASE_URL_SHOP", "mysql://a@db/shop"),
        ("DATABASE_PASSWORD_SHOP", "secret words"),
        ("DATABASE_URL_WEB_APP", "postgres://a@db/app"),
        ("MASK_KEY", "sixteen bytes or more"),
        ("AWS_REGION", "ap-northeast-1"),
        ("GOOGLE_CLOUD_PROJECT", "acme"),
        ("BIGQUERY_LOCATION", "asia-northeast1"),
    ];

    #[test]
    fn each_database_has_its_variables() {
        let config = read(LIST, &GOOD).unwrap();
        assert_eq!(config.servers["web-app"].address.database.as_deref(), Some("app"));
        assert!(config.servers["web-app"].password.is_none() && config.servers["shop"].password.is_some());
        let shown = format!("{config:?}");
        assert!(!shown.contains("secret words") && !shown.contains("sixteen"), "{shown}");
    }

    #[test]
    fn the_list_may_be_a_variable_itself() {
        let config = Config::read(Vars::from_pairs(GOOD.into_iter().chain([("EXTRACTS", LIST)]))).unwrap();
        assert_eq!(config.extracts.tables().count(), 2);
        let told = read(LIST, &[&GOOD[..], &[("EXTRACTS", LIST)]].concat()).unwrap_err();
        assert_eq!(told, "EXTRACTS_FILE and EXTRACTS are both set: one of them must be the list");
        let told = Config::read(Vars::from_pairs(GOOD)).unwrap_err().to_string();
        assert_eq!(told, "neither EXTRACTS_FILE nor EXTRACTS is set: the list of tables");
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let wrong = [
            ("DATABASE_URL_SHOP", "postgres://a@db/shop"),
            ("DATABASE_PASSWORD_SHOP", "x"),
            ("DATABASE_URL_WEB_APP", "postgres://a@127.0.0.1/app?tls=off"),
            ("MASK_KEY", "short"),
            ("GOOGLE_CLOUD_PROJECT", "Acme"),
            ("PARALLEL_TABLES", "0"),
        ];
        assert_eq!(
            read(LIST, &wrong).unwrap_err(),
            "environment: MASK_KEY: has fewer than 16 bytes, which can be guessed; AWS_REGION is not set; \
             GOOGLE_CLOUD_PROJECT: \"Acme\" is not a project id; BIGQUERY_LOCATION is not set; PARALLEL_TABLES: \"0\" is not \
             a whole number from 1 to 16\n\
             DATABASE_URL_SHOP is of another engine than database shop of the list\n\
             DATABASE_URL_WEB_APP: auth iam sends its token as it is, and needs TLS"
        );
        let told = Config::read(Vars::from_pairs([("EXTRACTS", "databases: {}")])).unwrap_err().to_string();
        assert!(told.ends_with("\nEXTRACTS:1:12: databases: expected one at least, found none"), "{told}");
        let told = read("databases: {}\n", &GOOD).unwrap_err();
        assert!(told.ends_with("extracts.yaml:1:12: databases: expected one at least, found none"), "{told}");
    }
}
