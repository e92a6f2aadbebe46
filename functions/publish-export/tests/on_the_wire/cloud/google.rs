//! Google's side behind a wire, and the role of the function.

use std::sync::Arc;

use aws_config::Region;
use aws_sdk_s3::config::Credentials;
use keyless::google::Google;
use local::google::{Google as Apis, Provider};
use local::sts::Sts;
use local::wire::{Effect, Wire};
use publish_export::Target;
use serde_json::{Value, json};

const AUDIENCE: &str =
    "//iam.googleapis.com/projects/1042/locations/global/workloadIdentityPools/isthmus/providers/aws-account";
pub const WORKFLOW: &str = "projects/acme-prod/locations/asia-northeast1/workflows/isthmus-prod-daily";
pub const ACCOUNT: &str = "isthmus-start-load@acme-prod.iam.gserviceaccount.com";

pub struct Load {
    pub apis: Apis,
    pub wire: Wire,
    sts: Sts,
    /// Whom AWS says that the function is.
    pub role: &'static str,
    /// What the function is told to start.
    pub workflow: String,
}

impl Load {
    pub async fn start() -> Self {
        let sts = Sts::of_sessions().await.unwrap();
        let provider = Provider {
            audience: AUDIENCE.into(),
            aws_account: "123456789012".into(),
            attribute_mapping: vec![
                ("google.subject".into(), "assertion.arn.extract('assumed-role/{role_and_session}')".into()),
                ("attribute.aws_role".into(), "assertion.arn.extract('assumed-role/{role}/')".into()),
            ],
            attribute_condition: "attribute.aws_role in ['isthmus-prod-publish-export']".into(),
        };
        let apis = Apis::start(provider, &sts.endpoint()).await.unwrap();
        let pool = AUDIENCE.split("/providers/").next().unwrap();
        apis.let_act(ACCOUNT, &format!("principalSet:{pool}/attribute.aws_role/isthmus-prod-publish-export"));
        apis.permit(ACCOUNT, "workflows.executions.create");
        apis.deploy(WORKFLOW, Arc::new(|_| Box::pin(async { Ok(Value::Null) })));
        let wire = Wire::start(&apis.endpoint()).await.unwrap();
        Self { apis, wire, sts, role: "isthmus-prod-publish-export", workflow: WORKFLOW.into() }
    }

    pub fn variables(&self) -> [(&'static str, String); 6] {
        [
            ("GOOGLE_WORKFLOW", self.workflow.clone()),
            ("GOOGLE_AUDIENCE", AUDIENCE.into()),
            ("GOOGLE_SERVICE_ACCOUNT", ACCOUNT.into()),
            ("GOOGLE_STS_ENDPOINT", self.wire.endpoint()),
            ("GOOGLE_IAM_CREDENTIALS_ENDPOINT", self.wire.endpoint()),
            ("GOOGLE_WORKFLOW_EXECUTIONS_ENDPOINT", self.wire.endpoint()),
        ]
    }

    pub async fn client(&self, target: &Target) -> Google {
        let role_arn = format!("arn:aws:iam::123456789012:role/{}", self.role);
        let session = self.sts.assume(&role_arn, "prod-publish-export");
        let (id, secret, token) = (session.access_key_id, session.secret_access_key, session.session_token);
        let credentials = Credentials::new(id, secret, Some(token), None, "test");
        let config = startup::aws_config().region(Region::new("ap-northeast-1")).credentials_provider(credentials);
        Google::new(target.google.clone(), &config.endpoint_url(self.sts.endpoint()).load().await).unwrap()
    }

    /// Nothing of Google answers.
    pub fn outage(&self) {
        self.wire.fault(usize::MAX, Effect::Refuse(503, json!({"error": {"message": "down"}}).to_string()), |_| true);
    }

    /// The arguments of all executions.
    pub fn started(&self) -> Vec<Value> {
        self.apis.executions().into_iter().map(|execution| execution.argument).collect()
    }
}
