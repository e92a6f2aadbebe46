//! Which workflow is started, and as whom: three variables that are set together, or not at all.

use std::fmt;
use std::str::FromStr;

use keyless::google::{Endpoints, GoogleConfig};
use startup::Vars;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub workflow: WorkflowName,
    /// Of the API of Workflows' executions. Without a slash at the end.
    pub endpoint: String,
    pub google: GoogleConfig,
}

impl Target {
    /// The outer `None` is a problem; the inner one says that nothing is started.
    #[allow(clippy::option_option)] // as `Vars::optional`
    pub(crate) fn read(vars: &mut Vars) -> Option<Option<Self>> {
        let together = ["GOOGLE_WORKFLOW", "GOOGLE_AUDIENCE", "GOOGLE_SERVICE_ACCOUNT"];
        if together.iter().all(|name| vars.optional::<String>(name) == Some(None)) {
            return Some(None);
        }
        let default = Endpoints::default();
        let workflow = vars.required("GOOGLE_WORKFLOW");
        let audience = vars.required("GOOGLE_AUDIENCE");
        let service_account = vars.required("GOOGLE_SERVICE_ACCOUNT");
        let executions = "https://workflowexecutions.googleapis.com".to_owned();
        let endpoint = vars.or("GOOGLE_WORKFLOW_EXECUTIONS_ENDPOINT", executions);
        let sts = vars.or("GOOGLE_STS_ENDPOINT", default.sts);
        let iam_credentials = vars.or("GOOGLE_IAM_CREDENTIALS_ENDPOINT", default.iam_credentials);
        let endpoints = Endpoints { sts: sts?, iam_credentials: iam_credentials? };
        let google = GoogleConfig { audience: audience?, service_account: service_account?, endpoints };
        Some(Some(Self { workflow: workflow?, endpoint: endpoint?, google }))
    }
}

/// `projects/acme-prod/locations/asia-northeast1/workflows/isthmus-prod-daily`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowName {
    project: String,
    location: String,
    workflow: String,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not the full name of a workflow, such as projects/PROJECT/locations/LOCATION/workflows/NAME")]
pub struct InvalidWorkflowName(String);

impl WorkflowName {
    /// What a human types to do the same.
    pub(crate) fn by_hand(&self, argument: &str) -> String {
        let Self { project, location, workflow } = self;
        format!("gcloud workflows execute {workflow} --location {location} --project {project} --data '{argument}'")
    }
}

impl FromStr for WorkflowName {
    type Err = InvalidWorkflowName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words: Vec<&str> = text.split('/').collect();
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.:".contains(&b);
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(allowed);
        match words[..] {
            ["projects", project, "locations", location, "workflows", workflow]
                if [project, location, workflow].into_iter().all(is_word) =>
            {
                Ok(Self { project: project.into(), location: location.into(), workflow: workflow.into() })
            }
            _ => Err(InvalidWorkflowName(text.to_owned())),
        }
    }
}

impl fmt::Display for WorkflowName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "projects/{}/locations/{}/workflows/{}", self.project, self.location, self.workflow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKFLOW: (&str, &str) =
        ("GOOGLE_WORKFLOW", "projects/acme-prod/locations/asia-northeast1/workflows/isthmus-prod-daily");
    const AUDIENCE: (&str, &str) = (
        "GOOGLE_AUDIENCE",
        "//iam.googleapis.com/projects/1042/locations/global/workloadIdentityPools/isthmus/providers/aws-account",
    );
    const ACCOUNT: (&str, &str) = ("GOOGLE_SERVICE_ACCOUNT", "isthmus-start-load@acme-prod.iam.gserviceaccount.com");

    fn read(pairs: &[(&str, &str)]) -> Result<Option<Target>, String> {
        let mut vars = Vars::from_pairs(pairs.iter().copied());
        Target::read(&mut vars).ok_or_else(|| vars.invalid().to_string())
    }

    #[test]
    fn three_variables_belong_together_and_each_that_is_missing_is_named() {
        let target = read(&[WORKFLOW, AUDIENCE, ACCOUNT]).unwrap().unwrap();
        assert_eq!(target.workflow.to_string(), WORKFLOW.1);
        assert_eq!(target.endpoint, "https://workflowexecutions.googleapis.com");
        assert_eq!(target.google.endpoints, Endpoints::default());
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[("GOOGLE_WORKFLOW", ""), ("GOOGLE_AUDIENCE", " ")]), Ok(None));
        let told = read(&[AUDIENCE]).unwrap_err();
        assert_eq!(told, "environment: GOOGLE_WORKFLOW is not set; GOOGLE_SERVICE_ACCOUNT is not set");
    }

    #[test]
    fn each_that_is_malformed_is_named() {
        let told = read(&[
            ("GOOGLE_WORKFLOW", "isthmus-prod-daily"),
            ("GOOGLE_AUDIENCE", "isthmus-prod"),
            ("GOOGLE_SERVICE_ACCOUNT", "me@acme.com"),
        ])
        .unwrap_err();
        for name in ["GOOGLE_WORKFLOW: \"isthmus-prod-daily\"", "GOOGLE_AUDIENCE: ", "GOOGLE_SERVICE_ACCOUNT: "] {
            assert!(told.contains(name), "{told}");
        }
    }

    #[test]
    fn endpoints_can_be_private_ones() {
        let private = ("GOOGLE_STS_ENDPOINT", "https://sts-acme.p.googleapis.com");
        let target = read(&[WORKFLOW, AUDIENCE, ACCOUNT, private]).unwrap().unwrap();
        assert_eq!(target.google.endpoints.sts, private.1);
    }
}
