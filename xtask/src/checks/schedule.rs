//! The tries of a day, as template.yaml and start-export understand them: the function takes the schedule's last hour
//! for the last try, and where the schedule is off nothing else starts an export or alarms that none was started.

use anyhow::Result;

use crate::step::Running;
use crate::template;

/// Where in the template which line must stand, and why.
const LINES: [(&[&str], &str, &str); 6] = [
    (&["StartExport", "Variables"], "EXPORT_HOURS: !Ref ExportHours", "the function knows the hours"),
    (&["Daily", "Properties"], "ScheduleExpression: !Sub cron(0 ${ExportHours} * * ? *)", "the schedule has the same"),
    (&["Daily", "Properties"], "State: !Ref ScheduleState", "the schedule can be off"),
    (
        &["SnapshotMade", "Properties"],
        "State: !Ref ScheduleState",
        "a snapshot starts nothing where the schedule is off",
    ),
    (&["NoExportStarted"], "Condition: IsScheduled", "nobody is alarmed where the schedule is off"),
    (&["NoExportStarted", "Properties"], "MetricName: DaysWithExport", "a try that only waited is no export"),
];

pub(super) fn check(step: &mut Running<'_>) -> Result<String> {
    let text = crate::read(&step.workspace.root.join("template.yaml"))?;
    let mut problems = Vec::new();
    for (path, line, why) in LINES {
        problems.extend(missing(&text, path, line)?.map(|problem| format!("{problem}: {why}")));
    }
    super::verdict(&problems, format!("{} lines", LINES.len()))
}

fn missing(text: &str, path: &[&str], line: &str) -> Result<Option<String>> {
    let block = path.iter().try_fold(text.to_owned(), |block, key| template::below(&block, key))?;
    let stands = block.lines().any(|found| found.trim() == line);
    Ok((!stands).then(|| format!("{} in template.yaml lacks `{line}`", path.join("."))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_does_not_stand_in_its_block_is_named() {
        let text = "A:\n  Properties:\n    State: x\nB:\n  Condition: y\n";
        assert_eq!(missing(text, &["A", "Properties"], "State: x").unwrap(), None);
        assert_eq!(missing(text, &["B"], "State: x").unwrap().unwrap(), "B in template.yaml lacks `State: x`");
        assert!(missing(text, &["C"], "State: x").is_err());
    }
}
