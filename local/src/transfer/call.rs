//! Which call an HTTP request is. Names come with or without a location.

use axum::http::Method;

use super::refusal::{Code, Refusal};

/// A config by its location and id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ConfigId {
    pub(super) location: String,
    pub(super) id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Call {
    CreateConfig { location: String },
    ListConfigs { location: String },
    GetConfig(ConfigId),
    PatchConfig(ConfigId),
    DeleteConfig(ConfigId),
    StartManualRuns(ConfigId),
    ListRuns(ConfigId),
    GetRun(ConfigId, String),
    DeleteRun(ConfigId, String),
    ListLogs(ConfigId, String),
}

/// Where a name without a location looks.
const DEFAULT_LOCATION: &str = "us";

impl Call {
    pub(super) fn of(method: &Method, path: &str) -> Result<Self, Refusal> {
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (location, rest) = match segments[..] {
            ["v1", "projects", _, "locations", location, ..] => (location, &segments[5..]),
            ["v1", "projects", _, ..] => (DEFAULT_LOCATION, &segments[3..]),
            _ => return Err(unimplemented(method, path)),
        };
        let here = || location.to_owned();
        let config = |id: &str| ConfigId { location: here(), id: id.to_owned() };
        match (method.as_str(), rest) {
            ("POST", ["transferConfigs"]) => Ok(Self::CreateConfig { location: here() }),
            ("GET", ["transferConfigs"]) => Ok(Self::ListConfigs { location: here() }),
            ("GET", ["transferConfigs", id]) => Ok(Self::GetConfig(config(id))),
            ("PATCH", ["transferConfigs", id]) => Ok(Self::PatchConfig(config(id))),
            ("DELETE", ["transferConfigs", id]) => Ok(Self::DeleteConfig(config(id))),
            ("POST", ["transferConfigs", id]) if id.ends_with(":startManualRuns") => {
                Ok(Self::StartManualRuns(config(id.trim_end_matches(":startManualRuns"))))
            }
            ("GET", ["transferConfigs", id, "runs"]) => Ok(Self::ListRuns(config(id))),
            ("GET", ["transferConfigs", id, "runs", run]) => Ok(Self::GetRun(config(id), (*run).to_owned())),
            ("DELETE", ["transferConfigs", id, "runs", run]) => Ok(Self::DeleteRun(config(id), (*run).to_owned())),
            ("GET", ["transferConfigs", id, "runs", run, "transferLogs"]) => {
                Ok(Self::ListLogs(config(id), (*run).to_owned()))
            }
            _ => Err(unimplemented(method, path)),
        }
    }
}

fn unimplemented(method: &Method, path: &str) -> Refusal {
    Refusal::new(Code::Unimplemented, format!("{method} {path} is not served here"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> ConfigId {
        ConfigId { location: "asia-northeast1".into(), id: "c".into() }
    }

    #[test]
    fn a_name_leads_to_its_call() {
        let of = |method: Method, rest: &str| {
            Call::of(&method, &format!("/v1/projects/p/locations/asia-northeast1/{rest}")).unwrap()
        };
        assert_eq!(of(Method::POST, "transferConfigs/c:startManualRuns"), Call::StartManualRuns(config()));
        assert_eq!(of(Method::GET, "transferConfigs/c"), Call::GetConfig(config()));
        assert_eq!(of(Method::GET, "transferConfigs/c/runs/r"), Call::GetRun(config(), "r".into()));
        assert_eq!(of(Method::GET, "transferConfigs/c/runs/r/transferLogs"), Call::ListLogs(config(), "r".into()));
    }

    #[test]
    fn a_name_without_a_location_is_in_the_us() {
        let call = Call::of(&Method::GET, "/v1/projects/p/transferConfigs").unwrap();
        assert_eq!(call, Call::ListConfigs { location: "us".into() });
    }

    #[test]
    fn what_is_not_served_says_so() {
        for (method, path) in [
            (Method::POST, "/v1/projects/p/transferConfigs/c:scheduleRuns"),
            (Method::GET, "/v1/projects/p/dataSources"),
            (Method::GET, "/v2/projects/p/transferConfigs"),
        ] {
            assert_eq!(Call::of(&method, path).unwrap_err().code, Code::Unimplemented, "{path}");
        }
    }
}
