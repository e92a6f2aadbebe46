//! The questions, each to one source. All are asked at once; none waits for another one's answer, but for names.

mod aws;
mod dbt;
mod google;
mod lookup;
mod syncs;

use std::fmt::Display;

use handoff::TableList;

use super::arguments::StatusArguments;
use super::clock::Clock;
use super::facts::{self, Asked, Facts};
use crate::clouds::{Aws, Google, Names, aws_of};

/// Whom and what about.
pub(crate) struct Questions<'a> {
    pub(crate) arguments: &'a StatusArguments,
    pub(crate) day: handoff::ExportDate,
    pub(crate) aws: Asked<Aws>,
    pub(crate) google: Asked<Google>,
    pub(crate) names: Names,
}

pub async fn facts(arguments: &StatusArguments, clock: &Clock) -> Facts {
    Questions::new(arguments, clock).await.asked().await
}

impl<'a> Questions<'a> {
    pub(crate) async fn new(arguments: &'a StatusArguments, clock: &Clock) -> Self {
        let aws = aws_of(&arguments.place).await;
        let google = Google::connect().map_err(|error| format!("{error:#}"));
        let names = Names::find(&arguments.place, &aws).await;
        let day = arguments.day.unwrap_or_else(|| clock.day());
        Self { arguments, day, aws, google, names }
    }

    async fn asked(&self) -> Facts {
        let place = &self.arguments.place;
        let listed = TableList::read(&self.arguments.tables).and_then(|list| list.transfers(&place.env));
        let listed = listed.map(|tables| tables.into_iter().map(|table| table.source.to_string()).collect());
        let (rds, manifest, runs, loads, dbt, syncs, lookup, alarms, dead_letters) = tokio::join!(
            self.rds(),
            self.manifest(),
            self.runs(),
            self.loads(),
            self.dbt(),
            self.syncs(),
            self.lookup(),
            self.alarms(),
            self.dead_letters(),
        );
        let (tasks, cluster, snapshot) = rds;
        let or = |name: &Asked<String>, placeholder: &str| name.clone().unwrap_or_else(|_| placeholder.to_owned());
        let region = self.aws.as_ref().ok().and_then(|aws| Some(aws.region().ok()?.to_owned()));
        let names = facts::Names {
            cluster: or(&cluster, "CLUSTER"),
            project: or(&self.names.project, "PROJECT"),
            location: or(&self.names.location, "LOCATION"),
            region,
            export_bucket: or(&self.names.export_bucket, "EXPORT_BUCKET"),
        };
        Facts {
            env: place.env.clone(),
            day: self.day,
            names,
            listed: listed.map_err(|error| startup::with_causes(&error)),
            snapshot,
            tasks,
            manifest,
            runs,
            loads,
            dbt,
            syncs,
            lookup,
            alarms,
            dead_letters,
        }
    }

    pub(crate) fn project(&self) -> Asked<(&Google, &str, &str)> {
        let google = self.google.as_ref().map_err(Clone::clone)?;
        let (project, location) = (known(&self.names.project)?, known(&self.names.location)?);
        Ok((google, project, location))
    }

    pub(crate) fn aws(&self) -> Asked<&Aws> {
        self.aws.as_ref().map_err(Clone::clone)
    }
}

pub(crate) fn known(name: &Asked<String>) -> Asked<&str> {
    name.as_deref().map_err(Clone::clone)
}

/// What was being done, and why it did not come to be.
fn why(what: impl Display) -> impl FnOnce(anyhow::Error) -> String {
    move |error| format!("{what}: {error:#}")
}
