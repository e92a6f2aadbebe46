//! What a human must hear: exports that ended badly, and publications with something odd in them. Each is told once: a
//! marker object is written after the message, so that a message can come twice but is never lost.

use aws_sdk_sns::Client;
use chrono::{DateTime, SecondsFormat, Utc};
use handoff::{ExportDate, ExportKey, ExportTaskId, Manifest, TableName};
use serde_json::{Value, json};
use tracing::{error, warn};

use crate::bucket::Bucket;
use crate::day::cause_of;
use crate::task::{Status, Task};
use crate::{Error, Settings, compose};

/// A subject is ASCII and has less than 100 characters; a message has at most 256 KiB.
/// <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>
const LONGEST_SUBJECT: usize = 99;
const LONGEST_MESSAGE: usize = 256 * 1024;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) subject: String,
    pub(crate) text: String,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Reporter<'a> {
    pub(crate) bucket: Bucket<'a>,
    pub(crate) sns: &'a Client,
    pub(crate) settings: &'a Settings,
    pub(crate) now: DateTime<Utc>,
}

impl Reporter<'_> {
    pub(crate) async fn is_told(&self, task: &ExportTaskId) -> Result<bool, Error> {
        Ok(self.bucket.get(&ExportKey::Report(task).to_string()).await?.is_some())
    }

    /// To the topic, where there is one.
    pub(crate) async fn send(&self, report: &Report) -> Result<(), Error> {
        let Some(topic) = &self.settings.topic_arn else { return Ok(()) };
        let message = self.sns.publish().topic_arn(topic).subject(&report.subject).message(&report.text);
        message.send().await.map(|_| ()).map_err(|error| Error::aws("sns:Publish", topic, error))
    }

    /// Sends the report, if there is something to tell and a topic to tell it to, and then marks the task as told.
    pub(crate) async fn tell(&self, task: &ExportTaskId, report: Option<&Report>) -> Result<(), Error> {
        if let Some(report) = report {
            self.send(report).await?;
        }
        // If we die before the marker, the next run tells it again.
        let subject = report.map(|report| report.subject.as_str());
        let marker = json!({"task_id": task, "told": subject, "at": self.at()});
        self.bucket.put(&ExportKey::Report(task).to_string(), marker.to_string().into_bytes()).await
    }

    /// Whether exactly this problem of the date was told.
    pub(crate) async fn is_known(&self, date: ExportDate, problem: &str) -> Result<bool, Error> {
        let marker = self.bucket.get(&self.problem_key(date)).await?;
        let told = marker.and_then(|marker| serde_json::from_slice::<Value>(&marker).ok());
        Ok(told.is_some_and(|told| told["problem"] == problem))
    }

    /// As `tell`, of what keeps a date from being published. The marker goes with the next publication.
    pub(crate) async fn tell_problem(&self, date: ExportDate, problem: &str) -> Result<(), Error> {
        self.send(&of_problem(date, problem)).await?;
        let marker = json!({"problem": problem, "at": self.at()});
        self.bucket.put(&self.problem_key(date), marker.to_string().into_bytes()).await
    }

    fn problem_key(&self, date: ExportDate) -> String {
        ExportKey::Problem(&self.settings.environment, date).to_string()
    }

    fn at(&self) -> String {
        self.now.to_rfc3339_opts(SecondsFormat::Secs, true)
    }
}

fn of_problem(date: ExportDate, problem: &str) -> Report {
    error!(event = "publication_failed", export_date = %date, "{date} cannot be published: {problem}");
    let text = format!(
        "{date} cannot be published, and BigQuery keeps what it has.\n\
         {problem}\n\n\
         Each poll tries again as long as the date is one of the last three. This is told once.\n"
    );
    Report { subject: subject(&format!("isthmus: {date} cannot be published")), text: bounded(text) }
}

/// `None` for a task that did not end badly.
pub(crate) fn of_failure(task: &Task) -> Option<Report> {
    let (id, date) = (&task.id, task.id.date());
    let what = match task.status {
        Status::Failed => "failed",
        Status::Canceled => "was canceled",
        Status::Running | Status::Complete => return None,
    };
    error!(event = "export_failed", task_id = %id, cause = cause_of(task), "export {id} {what}: {}", cause_of(task));
    let text = format!(
        "Export task {id} {what}.\n\
         Cause: {cause}\n\
         Source: {source}\n\n\
         An export task id cannot be used again. When the cause is removed, today or later, invoke start-export with\n\
         {again}\n\
         Until then {date} has no new data, and BigQuery keeps what it has.\n",
        cause = cause_of(task),
        source = task.source_arn,
        again = task.again(),
    );
    Some(Report { subject: subject(&format!("isthmus: export {id} {what}")), text })
}

/// `None` for a publication without anything odd. Every oddity is also a log line.
pub(crate) fn of_publication(manifest: &Manifest, previous: Option<&Manifest>) -> Option<Report> {
    let (skipped, emptied) = (compose::skipped(manifest), compose::emptied(previous, manifest));
    log(manifest, &skipped, &emptied);
    let names = |tables: Vec<&TableName>| tables.into_iter().map(ToString::to_string).collect::<Vec<_>>();
    let drift: Vec<String> = manifest.drift.iter().map(ToString::to_string).collect();
    let sections = [
        ("Skipped by RDS; BigQuery keeps the rows it has", names(skipped)),
        ("Without rows now, with rows the day before; BigQuery's table will be emptied", names(emptied)),
        ("Changed since the day before", drift),
        ("Warnings", manifest.warnings.clone()),
    ];
    let sections = sections.iter().filter(|(_, lines)| !lines.is_empty());
    let sections: Vec<String> =
        sections.map(|(title, lines)| format!("{title}:\n- {}\n", lines.join("\n- "))).collect();
    if sections.is_empty() {
        return None;
    }
    let (task, date) = (&manifest.task_id, manifest.export_date);
    let text =
        format!("{date} was published from {task}, and somebody should look at this.\n\n{}", sections.join("\n"));
    Some(Report { subject: subject(&format!("isthmus: look at export {task}")), text: bounded(text) })
}

fn log(manifest: &Manifest, skipped: &[&TableName], emptied: &[&TableName]) {
    let task = &manifest.task_id;
    for drift in &manifest.drift {
        warn!(event = "drift", task_id = %task, table = %drift.table, change = ?drift.change, "drift: {drift}");
    }
    for table in skipped {
        warn!(event = "table_skipped", task_id = %task, table = %table, "RDS skipped {table}");
    }
    for table in emptied {
        warn!(event = "table_emptied", task_id = %task, table = %table, "{table} had rows the day before and has none");
    }
    for warning in &manifest.warnings {
        warn!(event = "export_warning", task_id = %task, "{warning}");
    }
}

pub(crate) fn subject(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii() && !c.is_ascii_control()).take(LONGEST_SUBJECT).collect()
}

fn bounded(text: String) -> String {
    const REST: &str = "\n… (the manifest has the rest)\n";
    if text.len() <= LONGEST_MESSAGE {
        return text;
    }
    let end = (0..=LONGEST_MESSAGE - REST.len()).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}{REST}", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{manifest, table, task};
    use handoff::TableState;

    #[test]
    fn a_failed_export_says_what_happened_and_what_to_do() {
        let mut failed = task("prod-20261122", "2026-11-21T17:05:00Z");
        assert_eq!(of_failure(&failed), None);
        failed.status = Status::Failed;
        failed.failure_cause = Some("the role cannot write".into());
        let report = of_failure(&failed).unwrap();
        assert_eq!(report.subject, "isthmus: export prod-20261122 failed");
        assert!(report.text.starts_with("Export task prod-20261122 failed.\nCause: the role cannot write\n"));
        assert!(report.text.contains(&format!("invoke start-export with\n{}\n", failed.again())), "{}", report.text);
        failed.status = Status::Canceled;
        failed.failure_cause = None;
        let report = of_failure(&failed).unwrap();
        assert_eq!(report.subject, "isthmus: export prod-20261122 was canceled");
        assert!(report.text.contains("Cause: RDS gave no cause\n"));
    }

    #[test]
    fn an_odd_publication_names_every_oddity() {
        let today = task("prod-20261122", "2026-11-21T17:05:00Z");
        let mut previous = manifest(&task("prod-20261121", "2026-11-20T17:05:00Z"));
        previous.tables = vec![table("shop.a", 5, 1, 1), table("shop.gone", 5, 1, 1)];
        let mut now = manifest(&today);
        now.tables = vec![table("shop.a", 0, 0, 0), table("shop.odd", 0, 0, 0)];
        now.tables[1].state = TableState::Skipped;
        now.warnings = vec!["shop.odd: column name holds a comma".into()];
        now.drift = handoff::drift_between(&previous, &now);
        let report = of_publication(&now, Some(&previous)).unwrap();
        assert_eq!(report.subject, "isthmus: look at export prod-20261122");
        let expected = "2026-11-22 was published from prod-20261122, and somebody should look at this.\n\n\
            Skipped by RDS; BigQuery keeps the rows it has:\n- shop.odd\n\n\
            Without rows now, with rows the day before; BigQuery's table will be emptied:\n- shop.a\n\n\
            Changed since the day before:\n- table shop.gone was removed\n- table shop.odd was added\n\n\
            Warnings:\n- shop.odd: column name holds a comma\n";
        assert_eq!(report.text, expected);
    }

    #[test]
    fn a_plain_publication_is_not_told() {
        let mut plain = manifest(&task("prod-20261122", "2026-11-21T17:05:00Z"));
        plain.tables = vec![table("shop.a", 5, 1, 1), table("shop.always_empty", 0, 0, 0)];
        assert_eq!(of_publication(&plain, Some(&plain)), None);
        assert_eq!(of_publication(&plain, None), None);
    }

    #[test]
    fn what_sns_would_refuse_is_cut() {
        assert_eq!(subject("注文 x\ny"), " xy");
        assert_eq!(subject(&"a".repeat(200)).len(), 99);
        let cut = bounded("文".repeat(100_000));
        assert!(cut.len() <= LONGEST_MESSAGE && cut.ends_with("has the rest)\n"));
    }
}
