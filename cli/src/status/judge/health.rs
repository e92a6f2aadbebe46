//! What calls for a human.

use super::{AWS, Judged, about, count};
use crate::operate::invocation;
use crate::status::facts::Alarm;
use crate::status::report::{Finding, State};

impl Judged<'_> {
    pub(super) fn alarms(&self) -> Finding {
        about("alarms", &self.facts.alarms, AWS, |alarms| {
            if alarms.is_empty() {
                return Finding::new("alarms", State::Good, "none is open");
            }
            let part = |Alarm { name, reason, since }: &Alarm| {
                let since =
                    since.map_or(String::new(), |at| format!("since {}: ", self.clock.time(at, self.facts.day)));
                Finding::new(name, State::Failed, format!("{since}{reason}"))
                    .helped_by(&self.in_region(invocation::alarm(name)))
            };
            Finding::of("alarms", format!("{} open", count(alarms.len(), "alarm")), alarms.iter().map(part).collect())
        })
    }

    pub(super) fn dead_letters(&self) -> Finding {
        about("dead letters", &self.facts.dead_letters, AWS, |letters| match letters {
            0 => Finding::new("dead letters", State::Good, "none"),
            letters => {
                let letters = count(usize::try_from(*letters).unwrap_or(usize::MAX), "event");
                let found = format!("{letters} not delivered, or failed on every retry");
                let url = self.in_region(invocation::dead_letters(self.env()));
                let region =
                    self.facts.names.region.as_ref().map_or(String::new(), |region| format!(" --region {region}"));
                Finding::new("dead letters", State::Failed, found)
                    .helped_by(&format!("aws sqs receive-message --queue-url \"$({url})\"{region}"))
            }
        })
    }
}
