//! For a terminal, and for a log.

use chrono_tz::Tz;

use super::report::{Finding, Report, State};

/// Parts that are good are only counted.
pub fn text(report: &Report, zone: Tz) -> String {
    let at = report.at.with_timezone(&zone).format("%Y-%m-%d %H:%M");
    let mut text = format!("{} of {}, {at} {zone}: {}\n\n", report.env, report.day, report.headline());
    let width = report.findings.iter().map(|finding| finding.name.len()).max().unwrap_or(0);
    for finding in &report.findings {
        text.push_str(&line(finding, 2, width));
        let shown: Vec<&Finding> = finding.parts.iter().filter(|part| part.state > State::Good).collect();
        let width = shown.iter().map(|part| part.name.len()).max().unwrap_or(0);
        text.extend(shown.iter().map(|part| line(part, 6, width)));
    }
    let commands = commands(report);
    if !commands.is_empty() {
        text.push_str("\nWhat helps:\n");
        text.extend(commands.iter().map(|command| format!("  {command}\n")));
    }
    text
}

fn line(finding: &Finding, indent: usize, width: usize) -> String {
    let Finding { name, state, found, .. } = finding;
    format!("{:indent$}{} {name:<width$}  {:<8}{}\n", "", state.sign(), state.word(), found.replace('\n', " "))
}

/// Each once, the worst first: what is late is often late because of what failed.
fn commands(report: &Report) -> Vec<&str> {
    let all = report.findings.iter().flat_map(|finding| std::iter::once(finding).chain(&finding.parts));
    let mut helped: Vec<&Finding> = all.filter(|finding| finding.state > State::Waiting).collect();
    helped.sort_by_key(|finding| std::cmp::Reverse(finding.state));
    let mut commands = Vec::new();
    for command in helped.iter().filter_map(|finding| finding.command.as_deref()) {
        if !commands.contains(&command) {
            commands.push(command);
        }
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::Asia::Tokyo;

    #[test]
    fn what_is_wrong_is_named_with_the_command_that_helps_and_what_is_good_is_counted() {
        let late = Finding::new("shop.items", State::Late, "no load of 2026-11-22\nwas proven").helped_by(&"load it");
        let good = Finding::new("shop.orders", State::Good, "loaded");
        let tables = Finding::of("tables", "1 of 2 tables proven", vec![good, late.clone()]);
        let alarm = Finding::new("alarms", State::Failed, "1 alarm open").helped_by(&"look");
        let dbt = Finding::new("dbt", State::Late, "the newest build is of 2026-11-21").helped_by(&"load it");
        let (day, at) = ("2026-11-22".parse().unwrap(), "2026-11-22T01:00:00Z".parse().unwrap());
        let report = Report::new("stg".parse().unwrap(), day, at, vec![tables, alarm, dbt]);
        assert_eq!(
            text(&report, Tokyo),
            "stg of 2026-11-22, 2026-11-22 10:00 Asia/Tokyo: something failed\n\n  \
             ! tables  late    1 of 2 tables proven\n      \
             ! shop.items  late    no load of 2026-11-22 was proven\n  \
             ✗ alarms  failed  1 alarm open\n  \
             ! dbt     late    the newest build is of 2026-11-21\n\
             \nWhat helps:\n  look\n  load it\n"
        );
    }
}
