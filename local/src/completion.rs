//! What a publication sets off, for one environment: Google's side as terraform/gcp makes it, and publish-export with
//! the role that it lets in.

use anyhow::Result;

use crate::bigquery::PROJECT;
use crate::cloud::Cloud;
use crate::google::{Google, Provider, Work};
use crate::lambda::Lambda;
use crate::rds::ACCOUNT;
use crate::sts::SessionCredentials;
use crate::transfer::LOCATION;
use crate::wire::Wire;

const POOL: &str = "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/isthmus";

pub struct Completion {
    pub google: Google,
    /// Between the function and Google.
    pub wire: Wire,
    role: String,
    workflow: String,
}

impl Completion {
    /// `work` is what the daily workflow does with its argument.
    pub async fn start(cloud: &Cloud, work: Work) -> Result<Self> {
        let role = format!("isthmus-{}-publish-export", cloud.env);
        let workflow = format!("projects/{PROJECT}/locations/{LOCATION}/workflows/isthmus-{}-daily", cloud.env);
        let provider = Provider {
            audience: format!("{POOL}/providers/aws-account"),
            aws_account: ACCOUNT.into(),
            attribute_mapping: vec![
                ("google.subject".into(), "assertion.arn.extract('assumed-role/{role_and_session}')".into()),
                ("attribute.aws_role".into(), "assertion.arn.extract('assumed-role/{role}/')".into()),
            ],
            attribute_condition: format!("assertion.account == '{ACCOUNT}' && attribute.aws_role in ['{role}']"),
        };
        let google = Google::start(provider, &cloud.emulators.sts.endpoint()).await?;
        google.let_act(&account(), &format!("principalSet:{POOL}/attribute.aws_role/{role}"));
        google.permit(&account(), "workflows.executions.create");
        google.deploy(&workflow, work);
        let wire = Wire::start(&google.endpoint()).await?;
        Ok(Self { google, wire, role, workflow })
    }

    /// publish-export with credentials of its role, told what to start.
    pub fn publish_export(&self, cloud: &Cloud, topic_arn: Option<&str>) -> Result<Lambda> {
        let role_arn = format!("arn:aws:iam::{ACCOUNT}:role/{}", self.role);
        let session = cloud.emulators.sts.assume(&role_arn, &format!("{}-publish-export", cloud.env));
        let SessionCredentials { access_key_id, secret_access_key, session_token } = session;
        let (endpoint, audience) = (self.wire.endpoint(), format!("{POOL}/providers/aws-account"));
        let variables = [
            ("AWS_ACCESS_KEY_ID", access_key_id),
            ("AWS_SECRET_ACCESS_KEY", secret_access_key),
            ("AWS_SESSION_TOKEN", session_token),
            ("AWS_ENDPOINT_URL_STS", cloud.wires.sts.endpoint()),
            ("GOOGLE_WORKFLOW", self.workflow.clone()),
            ("GOOGLE_AUDIENCE", audience),
            ("GOOGLE_SERVICE_ACCOUNT", account()),
            ("GOOGLE_STS_ENDPOINT", endpoint.clone()),
            ("GOOGLE_IAM_CREDENTIALS_ENDPOINT", endpoint.clone()),
            ("GOOGLE_WORKFLOW_EXECUTIONS_ENDPOINT", endpoint),
        ];
        let lambda = cloud.publish_export(topic_arn)?;
        Ok(variables.into_iter().fold(lambda, |lambda, (name, value)| lambda.with(name, &value)))
    }
}

fn account() -> String {
    format!("isthmus-start-load@{PROJECT}.iam.gserviceaccount.com")
}
