//! The operator's side of an environment: what template.yaml and terraform/aws leave for people to find, and the command
//! `isthmus` with the credentials of a person.

use anyhow::{Result, ensure};
use handoff::ExportDate;
use serde_json::{Value, json};

use crate::bigquery::PROJECT;
use crate::cloud::{Cloud, KMS_KEY};
use crate::job::Job;
use crate::rds::REGION;
use crate::tools;
use crate::transfer::LOCATION;

pub const CONFIG_BUCKET: &str = "isthmus-local-isthmus-config";

/// The actions that moto is asked for, and where it finds them.
const SSM: (&str, &str) = ("ssm", "AmazonSSM");
const SQS: (&str, &str) = ("sqs", "AmazonSQS");
const CLOUDWATCH: (&str, &str) = ("monitoring", "GraniteServiceVersion20100801");

impl Cloud {
    /// The parameters, the queue of what was not delivered, and an alarm that is quiet.
    pub async fn deploy_stack(&self) -> Result<()> {
        let env = &self.env;
        let workflow = format!("projects/{PROJECT}/locations/{LOCATION}/workflows/isthmus-{env}-daily");
        for (name, value) in [
            ("app-bucket", self.app_bucket.as_str()),
            ("export-bucket", &self.bucket),
            ("google-workflow", &workflow),
            ("kms-key-arn", KMS_KEY),
        ] {
            let parameter =
                json!({"Name": format!("/isthmus/{env}/{name}"), "Type": "String", "Value": value, "Overwrite": true});
            self.moto(SSM, "PutParameter", &parameter).await?;
        }
        self.moto(SQS, "CreateQueue", &json!({"QueueName": self.dead_letters()})).await?;
        let alarm = json!({"AlarmName": self.alarm(), "MetricName": "ExportFailed", "Namespace": "isthmus", "Period": 60,
            "Statistic": "Sum", "EvaluationPeriods": 1, "Threshold": 1.0,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold"});
        self.moto(CLOUDWATCH, "PutMetricAlarm", &alarm).await?;
        self.set_alarm("OK").await
    }

    pub fn alarm(&self) -> String {
        format!("isthmus-{}-export-failed", self.env)
    }

    /// `OK` or `ALARM`.
    pub async fn set_alarm(&self, state: &str) -> Result<()> {
        let set = json!({"AlarmName": self.alarm(), "StateValue": state, "StateReason": "set by hand"});
        self.moto(CLOUDWATCH, "SetAlarmState", &set).await.map(|_| ())
    }

    fn dead_letters(&self) -> String {
        format!("isthmus-{}-dead-letters", self.env)
    }

    pub async fn add_dead_letter(&self, body: &str) -> Result<()> {
        let queue = self.moto(SQS, "GetQueueUrl", &json!({"QueueName": self.dead_letters()})).await?;
        let letter = json!({"QueueUrl": queue["QueueUrl"], "MessageBody": body});
        self.moto(SQS, "SendMessage", &letter).await.map(|_| ())
    }

    async fn moto(&self, (service, target): (&str, &str), action: &str, body: &Value) -> Result<Value> {
        // moto looks at the service's name and not at the signature.
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=local/20261122/{REGION}/{service}/aws4_request, SignedHeaders=host, Signature=0"
        );
        let request = reqwest::Client::new().post(self.emulators.moto.endpoint());
        let request =
            request.header("authorization", authorization).header("x-amz-target", format!("{target}.{action}"));
        let answer = request.header("content-type", "application/x-amz-json-1.1").body(body.to_string()).send().await?;
        let (status, said) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "moto: {action}: {status}: {said}");
        Ok(serde_json::from_str(&said).unwrap_or_default())
    }

    /// `isthmus`, by a person who is logged in to both clouds. It finds all names but the audit dataset's by itself.
    pub fn operator(&self) -> Result<Job> {
        let variables = [
            ("ENV", self.env.to_string()),
            ("AUDIT_DATASET", self.audit_dataset()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", "local".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
            ("AWS_ENDPOINT_URL", self.wires.aws.endpoint()),
            ("AWS_ENDPOINT_URL_RDS", self.wires.rds.endpoint()),
            ("AWS_ENDPOINT_URL_S3", self.wires.s3.endpoint()),
            ("BIGQUERY_ENDPOINT", self.wires.bigquery.endpoint()),
            ("BIGQUERY_DATA_TRANSFER_ENDPOINT", self.wires.transfer.endpoint()),
            ("GOOGLE_STORAGE_ENDPOINT", self.wires.storage.endpoint()),
            ("GCE_METADATA_HOST", self.emulators.metadata.host()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value));
        Ok(Job::new(&tools::program("isthmus")?, &self.dir, variables))
    }

    /// `isthmus status` of a day, with the lists of this environment.
    pub fn status_arguments(&self, date: ExportDate) -> Vec<String> {
        let (tables, syncs) = (self.tables_file().display().to_string(), self.syncs_file().display().to_string());
        ["status", "--day", &date.to_string(), "--tables", &tables, "--syncs", &syncs].map(str::to_owned).to_vec()
    }
}
