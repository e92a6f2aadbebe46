//! samconfig.toml: each environment gives every parameter without a default, none that does not exist, and the daily
//! export runs by itself in prod only.

use anyhow::{Context, Result};

use crate::step::Running;
use crate::template;

const SCHEDULES: [(&str, &str); 2] = [("stg", "DISABLED"), ("prod", "ENABLED")];

pub(super) fn check(step: &mut Running<'_>) -> Result<String> {
    let template = crate::read(&step.workspace.root.join("template.yaml"))?;
    let config = crate::read(&step.workspace.root.join("samconfig.toml"))?;
    let mut problems = Vec::new();
    for (environment, schedule) in SCHEDULES {
        let given = given(&config, environment)?;
        problems.extend(wrong(&template, &given)?.into_iter().map(|problem| format!("{environment}: {problem}")));
        for expected in [("Env", environment), ("ScheduleState", schedule)] {
            if !given.contains(&expected) {
                problems.push(format!("{environment}: {} is not {}", expected.0, expected.1));
            }
        }
    }
    super::verdict(&problems, String::new())
}

fn wrong(template: &str, given: &[(&str, &str)]) -> Result<Vec<String>> {
    let parameters = template::below(template, "Parameters")?;
    let known = template::keys(&parameters);
    let is_given = |name: &str| given.iter().any(|(given, _)| *given == name);
    let mut problems: Vec<String> = given
        .iter()
        .filter(|(name, _)| !known.contains(name))
        .map(|(name, _)| format!("no parameter {name}"))
        .collect();
    // SAM stops at one: "LookupSyncs= is not a valid format".
    let empty = given.iter().filter(|(_, value)| value.is_empty());
    problems.extend(empty.map(|(name, _)| format!("{name} is given nothing, which SAM refuses: leave it out")));
    for name in known {
        let has_default = template::keys(&template::below(&parameters, name)?).contains(&"Default");
        if !has_default && !is_given(name) {
            problems.push(format!("{name} is not given"));
        }
    }
    Ok(problems)
}

/// The lines `"Name=value",` of `[{environment}.deploy.parameters]`, between `parameter_overrides = [` and `]`.
fn given<'a>(config: &'a str, environment: &str) -> Result<Vec<(&'a str, &'a str)>> {
    let table = config.split_once(&format!("[{environment}.deploy.parameters]"));
    let list = table.and_then(|(_, rest)| rest.split_once("parameter_overrides = [\n"));
    let (_, list) = list.with_context(|| format!("samconfig.toml has no parameter_overrides for {environment}"))?;
    let lines = list.lines().map(str::trim).take_while(|line| *line != "]");
    Ok(lines.filter_map(|line| line.trim_matches(['"', ',']).split_once('=')).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_that_is_missing_or_unknown_is_named() {
        let template = "Parameters:\n  Env:\n    Type: String\n  Zone:\n    Default: x\nResources:\n";
        let config = "[stg.deploy.parameters]\nparameter_overrides = [\n    \"Envv=stg\",\n    \"Zone=\",\n]\n";
        let given = given(config, "stg").unwrap();
        assert_eq!(given, [("Envv", "stg"), ("Zone", "")]);
        let told = ["no parameter Envv", "Zone is given nothing, which SAM refuses: leave it out", "Env is not given"];
        assert_eq!(wrong(template, &given).unwrap(), told);
    }
}
