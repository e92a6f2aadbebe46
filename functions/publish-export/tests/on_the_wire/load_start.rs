//! A publication starts Google's workflow: once, whatever is lost, and only for the newest day.

use handoff::ExportTaskId;
use local::wire::{Effect, Recorded};
use serde_json::{Value, json};

use crate::cloud::{self, BUCKET, Cloud, DAILY, Load, SPOT, table};

const NIGHT: &str = "2026-11-21T17:05:00Z";
const MORNING: &str = "2026-11-22T01:00:00Z";

fn id(text: &str) -> ExportTaskId {
    text.parse().unwrap()
}

/// A daily export, complete and not yet published.
async fn exported() -> Cloud {
    let mut cloud = Cloud::start().await;
    cloud.load = Some(Load::start().await);
    cloud.topic = true;
    cloud.exported(DAILY, NIGHT, &[table("shop.a", &[&[3, 4]])]);
    cloud
}

fn load(cloud: &Cloud) -> &Load {
    cloud.load.as_ref().unwrap()
}

fn marker(cloud: &Cloud, task: &str) -> Value {
    let object = cloud.store().get(BUCKET, &format!("starts/{task}.json")).unwrap();
    serde_json::from_slice(&object.bytes).unwrap()
}

fn creates(request: &Recorded) -> bool {
    request.path.ends_with("/executions")
}

#[tokio::test]
async fn a_publication_starts_the_workflow_once_and_polls_do_not() {
    let cloud = exported().await;
    assert_eq!(cloud.poll().await.unwrap().started, [id(DAILY)]);
    assert_eq!(load(&cloud).started(), [json!({"export_date": "2026-11-22", "task_id": DAILY})]);
    let execution = load(&cloud).apis.executions()[0].name.clone();
    let expected = json!({"task_id": DAILY, "at": "2026-11-21T20:00:00Z", "started": execution});
    assert_eq!(marker(&cloud, DAILY), expected);

    load(&cloud).wire.forget();
    for event in [json!({"kind": "poll"}), json!({"kind": "publish", "task_id": DAILY})] {
        assert!(cloud.handle(event).await.unwrap().started.is_empty());
    }
    assert_eq!((load(&cloud).started().len(), load(&cloud).wire.requests().len()), (1, 0));
    assert_eq!(cloud.messages().len(), 0);
}

#[tokio::test]
async fn a_spot_export_is_loaded_when_it_is_published() {
    let mut cloud = exported().await;
    cloud.poll().await.unwrap();
    cloud.exported(SPOT, MORNING, &[table("shop.a", &[&[5]])]);
    assert_eq!(cloud.poll().await.unwrap().started, [id(SPOT)]);
    assert_eq!(load(&cloud).started()[1], json!({"export_date": "2026-11-22", "task_id": SPOT}));
}

#[tokio::test]
async fn what_was_published_and_not_started_is_started_by_the_next_run() {
    let mut cloud = exported().await;
    let load = cloud.load.take();
    cloud.poll().await.unwrap();
    assert!(cloud.store().keys(BUCKET, "starts/").is_empty(), "nothing is configured");
    cloud.load = load;
    let answer = cloud.poll().await.unwrap();
    assert_eq!((answer.published.len(), answer.started), (0, vec![id(DAILY)]));
}

#[tokio::test]
async fn an_answer_that_is_lost_after_the_start_costs_a_second_start_and_no_third() {
    let cloud = exported().await;
    load(&cloud).wire.fault(1, Effect::LoseAnswer, creates);
    assert_eq!(cloud.poll().await.unwrap().started, [id(DAILY)]);
    assert_eq!(load(&cloud).started().len(), 2);
    assert!(cloud.poll().await.unwrap().started.is_empty());
    assert_eq!(load(&cloud).started().len(), 2);
}

#[tokio::test]
async fn a_start_whose_marker_was_not_written_is_done_again() {
    let mut cloud = exported().await;
    cloud.attempts = 1;
    cloud.wire.fault(1, Effect::Reset, |r| r.path.contains("/starts/") && r.method == "PUT");
    assert_eq!(cloud.poll().await.unwrap_err().word(), "Unreachable");
    assert_eq!(cloud.poll().await.unwrap().started, [id(DAILY)]);
    assert_eq!(load(&cloud).started().len(), 2);
    assert!(cloud.poll().await.unwrap().started.is_empty());
}

#[tokio::test]
async fn a_google_that_is_down_is_told_once_and_each_poll_tries_again() {
    let cloud = exported().await;
    load(&cloud).outage();
    let answer = cloud.poll().await.unwrap();
    assert_eq!((answer.published, answer.started), (vec![id(DAILY)], vec![]), "the day is published all the same");
    assert_eq!(cloud.poll().await.unwrap().started, []);
    let messages = cloud.messages();
    let [(subject, text)] = &messages[..] else { panic!("{messages:?}") };
    assert_eq!(subject, "isthmus: the load of prod-20261122 was not started");
    for part in [
        "2026-11-22 was published from prod-20261122, and projects/acme-prod/",
        "Cause: exchange the AWS identity for a token of //iam.googleapis.com/projects/1042/",
        ": 503: down\n",
        "gcloud workflows execute isthmus-prod-daily --location asia-northeast1 --project acme-prod --data \
         '{\"export_date\":\"2026-11-22\",\"task_id\":\"prod-20261122\"}'\n",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    load(&cloud).wire.heal();
    assert_eq!(cloud.poll().await.unwrap().started, [id(DAILY)]);
    assert_eq!((cloud.messages().len(), load(&cloud).started().len()), (1, 1));
}

#[tokio::test]
async fn without_a_topic_a_start_that_fails_fails_the_function_once() {
    let mut cloud = exported().await;
    cloud.topic = false;
    load(&cloud).outage();
    let error = cloud.poll().await.unwrap_err();
    assert_eq!(error.word(), "LoadNotStarted");
    assert!(error.to_string().starts_with("prod-20261122 is published, and its load was not started: exchange "));
    assert!(error.to_string().ends_with("down; each poll tries again"), "{error}");
    cloud.poll().await.unwrap();
    load(&cloud).wire.heal();
    assert_eq!(cloud.poll().await.unwrap().started, [id(DAILY)]);
}

/// The first message, and how many there are after a second poll.
async fn told(cloud: &Cloud) -> (String, usize) {
    cloud.poll().await.unwrap();
    let (_, text) = cloud.messages().last().unwrap().clone();
    cloud.poll().await.unwrap();
    (text, cloud.messages().len())
}

#[tokio::test]
async fn a_refusal_is_told_once_with_what_must_be_changed() {
    let mut cloud = exported().await;
    cloud.load.as_mut().unwrap().workflow = cloud::WORKFLOW.replace("daily", "nightly");
    let (text, messages) = told(&cloud).await;
    assert!(text.contains("isthmus-prod-nightly: refused with 404: "), "{text}");
    assert!(text.contains("GOOGLE_WORKFLOW must be the full name of the workflow"), "{text}");
    assert_eq!(messages, 1);

    let mut cloud = exported().await;
    cloud.load.as_mut().unwrap().role = "isthmus-stg-publish-export";
    let (text, messages) = told(&cloud).await;
    let aws =
        "AWS says that we are arn:aws:sts::123456789012:assumed-role/isthmus-stg-publish-export/prod-publish-export";
    assert!(text.contains(aws) && text.contains("let in role \"isthmus-stg-publish-export\""), "{text}");
    assert_eq!(messages, 1);
    // Once it is repaired, the next poll starts.
    cloud.load.as_mut().unwrap().role = "isthmus-prod-publish-export";
    assert_eq!(cloud.poll().await.unwrap().started, [id(DAILY)]);

    let cloud = exported().await;
    let denied = json!({"error": {"code": 403, "message": "Permission denied", "status": "PERMISSION_DENIED"}});
    load(&cloud).wire.fault(2, Effect::Refuse(403, denied.to_string()), creates);
    let (text, messages) = told(&cloud).await;
    let advice = format!("{} needs workflows.executions.create in this project", cloud::ACCOUNT);
    assert!(text.contains(&advice), "{text}");
    assert_eq!(messages, 1);
}

#[tokio::test]
async fn a_refusal_after_an_outage_is_told_too() {
    let mut cloud = exported().await;
    load(&cloud).outage();
    cloud.poll().await.unwrap();
    load(&cloud).wire.heal();
    cloud.load.as_mut().unwrap().role = "isthmus-stg-publish-export";
    assert_eq!(told(&cloud).await.1, 2);
    load(&cloud).outage();
    assert_eq!(told(&cloud).await.1, 2);
}

#[tokio::test]
async fn of_several_days_the_newest_is_loaded_and_an_older_one_never_after_it() {
    let mut cloud = exported().await;
    cloud.exported("prod-20261121", "2026-11-20T17:05:00Z", &[table("shop.a", &[&[2]])]);
    let answer = cloud.poll().await.unwrap();
    assert_eq!((answer.published.len(), answer.started), (2, vec![id(DAILY)]));
    assert_eq!(marker(&cloud, "prod-20261121")["superseded"], "2026-11-22");

    // A day that comes late would put its older rows in the place of the newer ones.
    cloud.exported("prod-20261120", "2026-11-19T17:05:00Z", &[table("shop.a", &[&[1]])]);
    let answer = cloud.handle(json!({"kind": "publish", "task_id": "prod-20261120"})).await.unwrap();
    assert_eq!((answer.published.len(), answer.started.len()), (1, 0));
    assert_eq!(marker(&cloud, "prod-20261120")["superseded"], "2026-11-22");
    assert_eq!(load(&cloud).started().len(), 1);
}

#[tokio::test]
async fn a_day_is_started_when_it_is_published_and_not_while_it_cannot_be() {
    let cloud = exported().await;
    let info = format!("{DAILY}/export_info_{DAILY}.json");
    let kept = cloud.store().get(BUCKET, &info).unwrap().bytes;
    cloud.store().delete(BUCKET, &info);
    let answer = cloud.poll().await.unwrap();
    assert_eq!((answer.published.len(), answer.started.len()), (0, 0));
    assert_eq!((load(&cloud).started().len(), cloud.store().keys(BUCKET, "starts/").len()), (0, 0));
    cloud.store().put(BUCKET, &info, kept);
    assert_eq!(cloud.poll().await.unwrap().started, [id(DAILY)]);
}
