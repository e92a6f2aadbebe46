//! The built binary under a Lambda runtime endpoint.

use std::path::Path;

use local::lambda::{FunctionError, Lambda};
use serde_json::{Value, json};

async fn refused(variables: &[(&str, &str)], event: Value) -> FunctionError {
    let logs = std::env::temp_dir().join(format!("publish-export-{}-{}", std::process::id(), variables.len()));
    std::fs::create_dir_all(&logs).unwrap();
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let lambda = Lambda::new(Path::new(env!("CARGO_BIN_EXE_publish-export")), &logs, variables);
    let invocation = lambda.invoke(&event).await.unwrap();
    std::fs::remove_dir_all(&logs).unwrap();
    invocation.answer.unwrap_err()
}

#[tokio::test]
async fn wrong_settings_are_the_answer_to_every_event_with_all_that_is_wrong() {
    let error = refused(&[("EXPORT_TIMEZONE", "Tokyo")], json!({"kind": "poll"})).await;
    assert_eq!(error.error_type, "InvalidEnvironment");
    for name in ["ENV is not set", "S3_BUCKET_NAME is not set", "EXPORT_TIMEZONE: "] {
        assert!(error.message.contains(name), "{}", error.message);
    }
}

#[tokio::test]
async fn a_start_of_the_load_that_is_half_configured_names_what_is_missing() {
    let variables = [("ENV", "prod"), ("S3_BUCKET_NAME", "exports"), ("GOOGLE_SERVICE_ACCOUNT", "me@acme.com")];
    let error = refused(&variables, json!({"kind": "poll"})).await;
    assert_eq!(error.error_type, "InvalidEnvironment");
    for told in ["GOOGLE_WORKFLOW is not set", "GOOGLE_AUDIENCE is not set", "GOOGLE_SERVICE_ACCOUNT: \"me@acme.com\""]
    {
        assert!(error.message.contains(told), "{}", error.message);
    }
}

#[tokio::test]
async fn an_unknown_event_is_an_error_of_one_word() {
    let error = refused(&[("ENV", "prod"), ("S3_BUCKET_NAME", "exports")], json!({"kind": "polle"})).await;
    let message = "event: unknown variant `polle`, expected `poll` or `publish`".to_owned();
    assert_eq!(error, FunctionError { error_type: "InvalidEvent".into(), message });
}
