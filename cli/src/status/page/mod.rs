//! One page that needs nothing else: no script, no font, no request. Each picture has its figures as a table below it.

mod calendar;
mod timeline;
mod trend;

use super::clock::{Clock, length};
use super::facts::{Facts, Load, Published, Sync};
use super::history::{Cost, History};
use super::judge::grouped;
use super::report::{Finding, Report, State};
use crate::picture::escaped;

const STYLE: &str = include_str!("page.css");

pub fn html(report: &Report, facts: &Facts, history: &History, clock: &Clock) -> String {
    let (env, day) = (escaped(report.env.as_str()), report.day);
    let title = format!("isthmus {env}, {day}");
    let at = report.at.with_timezone(&clock.zone).format("%Y-%m-%d %H:%M:%S");
    let due = clock.ready_by.format("%H:%M");
    let sections = [
        section("Now", "now", &findings(&report.findings)),
        section("The day", "day", &timeline::timeline(history, clock, report.day)),
        section("Sixty days", "days", &calendar::calendar(history)),
        section("Rows a day", "rows", &trend::rows(history)),
        section("Tables", "tables", &tables(facts, history, clock)),
        section("Publications", "publications", &publications(facts, history, clock)),
    ];
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}: {headline}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n\
         <p class=\"brand\">isthmus <span>{env}</span></p>\n<h1><span class=\"{word}\"><b aria-hidden=\"true\">{sign}</b> \
         {headline}</span></h1>\n<p><time datetime=\"{day}\">{day}</time>, seen at {at} {zone}. All is due at {due}.</p>\n\
         </header>\n<main>\n{sections}</main>\n</body>\n</html>\n",
        headline = capital(report.headline()),
        word = report.state.word(),
        sign = report.state.sign(),
        zone = clock.zone,
        sections = sections.concat(),
    )
}

fn capital(text: &str) -> String {
    if text == "dbt" {
        return text.to_owned(); // its own spelling
    }
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

fn section(title: &str, id: &str, content: &str) -> String {
    if content.is_empty() {
        return String::new();
    }
    format!("<section class=\"{id}\" aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{title}</h2>\n{content}</section>\n")
}

fn badge(state: State) -> String {
    format!("<span class=\"badge {0}\"><b aria-hidden=\"true\">{1}</b> {0}</span>", state.word(), state.sign())
}

/// What is wrong comes first.
fn findings(findings: &[Finding]) -> String {
    let (bad, other): (Vec<_>, Vec<_>) = findings.iter().partition(|finding| finding.state >= State::Late);
    let items: String = bad.into_iter().chain(other).map(finding).collect();
    format!("<ul class=\"findings\">\n{items}</ul>\n")
}

fn finding(finding: &Finding) -> String {
    let Finding { name, state, found, parts, .. } = finding;
    let (bad, good): (Vec<&Finding>, Vec<&Finding>) = parts.iter().partition(|part| part.state > State::Good);
    let line = |part: &&Finding| {
        let (name, found) = (escaped(&part.name), escaped(&part.found));
        format!("<li>{} <strong>{name}</strong> {found}{}</li>\n", badge(part.state), command(part))
    };
    let listed = |parts: &[&Finding]| parts.iter().map(line).collect::<String>();
    let shown = if bad.is_empty() { String::new() } else { format!("<ul>\n{}</ul>\n", listed(&bad)) };
    let folded = match good.len() {
        0 => String::new(),
        n => format!(
            "<details><summary>{n} good<span class=\"hidden\"> of {name}</span></summary><ul>\n{}</ul></details>\n",
            listed(&good)
        ),
    };
    format!(
        "<li class=\"{word}\">\n<div class=\"head\"><h3>{}</h3>{}</div>\n<p>{}</p>{}\n{shown}{folded}</li>\n",
        escaped(&capital(name)),
        badge(*state),
        escaped(found),
        command(finding),
        word = state.word(),
    )
}

fn command(finding: &Finding) -> String {
    finding
        .command
        .as_ref()
        .map_or(String::new(), |command| format!("<code class=\"helps\">{}</code>", escaped(command)))
}

/// Columns of numbers begin with `#`. A table that may be wider than the screen: it is scrolled by itself, with the keyboard too.
fn table(label: &str, head: &[&str], rows: &str) -> String {
    let cell = |cell: &&str| match cell.strip_prefix('#') {
        Some(cell) => format!("<th scope=\"col\" class=\"number\">{cell}</th>"),
        None => format!("<th scope=\"col\">{cell}</th>"),
    };
    let head: String = head.iter().map(cell).collect();
    format!(
        "<div class=\"scroll\" role=\"region\" aria-label=\"{label}\" tabindex=\"0\"><table>\n<thead><tr>{head}</tr></thead>\n\
         <tbody>\n{rows}</tbody></table></div>\n"
    )
}

fn tables(facts: &Facts, history: &History, clock: &Clock) -> String {
    let loads: &[Load] = facts.loads.as_deref().unwrap_or_default();
    let mut names: Vec<&str> = loads.iter().map(|load| load.table.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let row = |name: &&str| {
        let of_table: Vec<&Load> = loads.iter().filter(|load| load.table == **name).collect();
        let newest = of_table.last()?;
        let rows = newest.rows.map_or("–".to_owned(), grouped);
        let age = newest.snapshot_at.map_or("–".to_owned(), |at| length(clock.now - at));
        Some(format!(
            "<tr><th scope=\"row\">{}</th><td>{} <small>{}</small></td><td class=\"number\">{rows}</td><td>{}</td>\
             <td class=\"number\">{age}</td></tr>\n",
            escaped(name),
            escaped(&newest.state),
            newest.day,
            trend::spark(&of_table, &history.days),
        ))
    };
    let rows: String = names.iter().filter_map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    table("All tables", &["table", "newest load", "#rows", "60 days", "#age of the data"], &rows)
}

fn publications(facts: &Facts, history: &History, clock: &Clock) -> String {
    let row = |sync: &Sync| {
        let newest: &Published = sync.generations.as_ref().ok()?.first()?;
        let cost: &Cost = history.costs.iter().find(|cost| cost.sync == sync.name)?;
        Some(format!(
            "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td>\
             <td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td></tr>\n",
            escaped(&sync.name),
            newest.generation,
            length(clock.now - newest.began_at),
            grouped(newest.rows),
            grouped(newest.changed),
            grouped(newest.puts),
            grouped(cost.puts_a_month),
            dollars(cost.usd_a_month),
        ))
    };
    let rows: String = facts.syncs.iter().flatten().filter_map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    let head = ["sync", "generation", "#age", "#rows", "#changed", "#PUTs", "#PUTs a month", "#US$ a month"];
    let kept = history.costs.iter().map(|cost| cost.publications).max().unwrap_or(0);
    format!(
        "{}<p class=\"note\">A month is thirty average publications of the {kept} that are kept, at $0.0047 for 1,000 PUTs \
         (S3 Standard, Tokyo).</p>\n",
        table("What publications write", &head, &rows)
    )
}

/// Not `0.00`, which reads as free.
fn dollars(usd: f64) -> String {
    if usd > 0.0 && usd < 0.01 { "under 0.01".to_owned() } else { format!("{usd:.2}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::judge::{judge, tests::*};

    fn page(facts: &Facts, time: &str) -> String {
        let clock = clock(time);
        html(&judge(facts, &clock), facts, &History::of(facts, &clock), &clock)
    }

    #[test]
    fn the_page_asks_nothing_of_a_network_and_runs_nothing() {
        let page = page(&good(), "06:30");
        let policy = "default-src 'none'; style-src 'unsafe-inline'";
        assert!(page.contains(policy) && page.contains("Everything is there"), "{page}");
        for outside in ["http:", "https:", "<script", "src=", "url(", "@import"] {
            assert!(!page.replace(policy, "").contains(outside), "{outside} in the page");
        }
    }

    #[test]
    fn what_is_late_is_there_with_the_command_that_helps_and_nothing_of_it_is_markup() {
        let mut facts = good();
        facts.listed.as_mut().unwrap().push("shop.<b>".into());
        let page = page(&facts, "10:00");
        assert!(
            page.contains(
                "<strong>shop.&lt;b&gt;</strong> no load of 2026-11-22 was proven<code class=\"helps\">gcloud"
            ),
            "{page}"
        );
        assert!(page.contains("Something is late") && !page.contains("shop.<b>"));
    }

    #[test]
    fn a_page_without_any_answer_says_so() {
        let mut facts = good();
        let no = || "no answer".to_owned();
        (facts.snapshot, facts.tasks, facts.manifest, facts.runs) = (Err(no()), Err(no()), Err(no()), Err(no()));
        (facts.loads, facts.dbt, facts.syncs, facts.lookup) = (Err(no()), Some(Err(no())), Err(no()), Some(Err(no())));
        (facts.alarms, facts.dead_letters, facts.listed) = (Err(no()), Err(no()), Err(no()));
        let page = page(&facts, "10:00");
        assert_eq!(page.matches("could not be asked: no answer").count(), 11);
        for picture in ["id=\"day\"", "id=\"days\"", "id=\"rows\""] {
            assert!(!page.contains(picture), "{picture} without any fact");
        }
    }

    /// The pages are left for the check `browser`, which looks at them.
    #[test]
    fn sixty_days_of_many_tables_are_a_page_and_so_is_a_first_morning() {
        let (many, first) = (page(&sixty_days(), "10:00"), page(&good(), "06:30"));
        let squares = |page: &str| page.matches("<rect class=\"good\"").count();
        assert!(squares(&many) > 400 && squares(&first) == 4, "{} and {} squares", squares(&many), squares(&first));
        assert!(many.len() < 300_000, "{} bytes", many.len());
        if let Some(folder) = std::env::var_os("ISTHMUS_PAGES") {
            let folder = std::path::Path::new(&folder);
            std::fs::write(folder.join("status-sixty-days.html"), many).unwrap();
            std::fs::write(folder.join("status-first-morning.html"), first).unwrap();
        }
    }
}
