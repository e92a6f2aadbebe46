//! What the state of terraform/gcp says: how far the environment is.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::environment::Environment;

/// The AWS access key of Data Transfer: its id, and which version of the secret holds the other half.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, serde::Serialize)]
pub struct Key {
    pub access_key_id: String,
    pub secret_version: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Everything that AWS needs to know is there.
    pub is_begun: bool,
    /// The account that jobs and transfers use, once they are there.
    pub aws_account: Option<String>,
    /// The keys of Data Transfer that somebody has written down, the newest first. One of them may be gone by now.
    pub keys: Vec<Key>,
}

impl Facts {
    /// From `terraform output -json`, and from the file that the rotation of the key writes.
    pub fn read(env: &str, outputs: &str, key_file: Option<&str>) -> Result<Self> {
        let outputs: Value = serde_json::from_str(outputs).context("read what `terraform output -json` printed")?;
        let told = &outputs["told"]["value"];
        let stands = outputs["environment"]["value"].as_str();
        ensure!(
            stands.is_none_or(|stands| stands == env),
            "the state that was found for {env} belongs to {}: look at terraform/*/backend/{env}.hcl",
            stands.unwrap_or_default()
        );
        let is_begun = !outputs["for_aws"]["value"].is_null();
        let has_jobs = outputs["jobs"]["value"].as_object().is_some_and(|jobs| !jobs.is_empty());
        ensure!(
            is_begun || !has_jobs,
            "{env} was made by an earlier version: apply terraform/gcp by hand once (docs/spec/deploy.md, From an earlier version)"
        );
        let in_state: Option<Key> = serde_json::from_value(told["transfer_key"].clone()).context("the output told")?;
        Ok(Self {
            is_begun,
            aws_account: told["aws"]["account_id"].as_str().map(str::to_owned),
            keys: newest_first(in_state, key_file.map(key_of).transpose()?),
        })
    }

    /// Without the keys that are gone: what such a key was written down in is older than the key's end.
    pub fn keep_keys(&mut self, mut lives: impl FnMut(&Key) -> Result<bool>) -> Result<Vec<Key>> {
        let (mut living, mut gone) = (Vec::new(), Vec::new());
        for key in self.keys.drain(..) {
            if lives(&key)? { &mut living } else { &mut gone }.push(key);
        }
        self.keys = living;
        Ok(gone)
    }

    /// terraform/aws is there: what needs it is in the state of terraform/gcp, or its user has a key.
    pub fn has_aws(&self) -> bool {
        self.aws_account.is_some() || !self.keys.is_empty()
    }
}

/// Why this account is not the one to deploy to.
pub fn wrong_account(environment: &Environment, facts: &Facts, signed_in: &str) -> Option<String> {
    let meant = environment.aws_account.as_ref().map(|account| (account, "config/environments.yaml says"));
    let stands = facts.aws_account.as_ref().map(|account| (account, "its jobs and transfers use"));
    let (account, who) = meant.into_iter().chain(stands).find(|(account, _)| *account != signed_in)?;
    let name = &environment.name;
    Some(format!("you are signed in to the AWS account {signed_in}, and {who} {account} for {name}: set AWS_PROFILE"))
}

/// A key that was rotated and not yet applied is in the file only; one that a colleague rotated in the state only.
fn newest_first(in_state: Option<Key>, in_file: Option<Key>) -> Vec<Key> {
    let mut keys: Vec<Key> = in_state.into_iter().chain(in_file).collect();
    keys.sort_by_key(|key| std::cmp::Reverse(key.secret_version));
    keys.dedup();
    keys
}

fn key_of(text: &str) -> Result<Key> {
    #[derive(Deserialize)]
    struct File {
        transfer_key: Key,
    }
    let file: File =
        serde_json::from_str(text).context("read the file of the transfer key; delete it to make a new key")?;
    Ok(file.transfer_key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: &str = r#"{"transfer_key": {"access_key_id": "AKIANEW", "secret_version": 4}}"#;

    fn outputs(told: &str) -> String {
        format!(r#"{{"environment": {{"value": "stg"}}, "for_aws": {{"value": {{}}}}, "told": {{"value": {told}}}}}"#)
    }

    #[test]
    fn an_empty_state_is_nothing_yet() {
        assert_eq!(Facts::read("stg", "{}", None).unwrap(), Facts::default());
    }

    #[test]
    fn the_newer_key_counts_wherever_it_is_written() {
        let told = r#"{"aws": {"account_id": "1"}, "transfer_key": {"access_key_id": "AKIAOLD", "secret_version": 3}}"#;
        let version = |file| Facts::read("stg", &outputs(told), file).unwrap().keys[0].secret_version;
        assert_eq!((version(None), version(Some(NEW))), (3, 4));
        let before = outputs(r#"{"aws": null, "transfer_key": null}"#);
        let facts = Facts::read("stg", &before, Some(NEW)).unwrap();
        assert_eq!(
            (facts.is_begun, &facts.aws_account, facts.keys[0].access_key_id.as_str()),
            (true, &None, "AKIANEW")
        );
        assert!(Facts::read("stg", &before, Some("{")).is_err());
    }

    #[test]
    fn a_key_that_is_gone_counts_nowhere_and_the_older_one_that_lives_does() {
        let told = r#"{"aws": null, "transfer_key": {"access_key_id": "AKIAOLD", "secret_version": 3}}"#;
        let mut facts = Facts::read("stg", &outputs(told), Some(NEW)).unwrap();
        let gone = facts.keep_keys(|key| Ok(key.access_key_id == "AKIAOLD")).unwrap();
        assert_eq!((gone[0].secret_version, facts.keys[0].secret_version, facts.has_aws()), (4, 3, true));
        assert!(facts.keep_keys(|_| anyhow::bail!("no answer")).is_err());
        // What was left over says nothing about AWS.
        let mut facts = Facts::read("stg", &outputs(r#"{"aws": null, "transfer_key": null}"#), Some(NEW)).unwrap();
        facts.keep_keys(|_| Ok(false)).unwrap();
        assert!(!facts.has_aws());
    }

    #[test]
    fn jobs_that_an_earlier_version_made_are_not_taken_away() {
        let outputs = r#"{"jobs": {"value": {"load_export": "isthmus-stg-load-export"}}}"#;
        let told = Facts::read("stg", outputs, None).unwrap_err().to_string();
        assert!(told.contains("by an earlier version"), "{told}");
        assert!(!Facts::read("stg", r#"{"jobs": {"value": {}}}"#, None).unwrap().is_begun);
    }

    #[test]
    fn a_state_of_another_environment_is_refused() {
        let told = Facts::read("prod", &outputs("{}"), None).unwrap_err().to_string();
        assert_eq!(told, "the state that was found for prod belongs to stg: look at terraform/*/backend/prod.hcl");
    }
}
