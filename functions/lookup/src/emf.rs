//! A log line that CloudWatch also reads as metrics.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use chrono::{DateTime, Utc};
use reader::Counts;
use serde_json::{Map, Value, json};

use crate::latency::Taken;

pub(crate) struct Measured {
    pub(crate) requests: u64,
    pub(crate) not_found: u64,
    pub(crate) refused: u64,
    pub(crate) faults: u64,
    pub(crate) latency: Taken,
    pub(crate) before: Counts,
    pub(crate) now: Counts,
}

pub(crate) fn line(namespace: &str, measured: &Measured, at: DateTime<Utc>) -> String {
    let values = values(measured);
    let metric = |(name, unit, _): &(&str, &str, f64)| json!({"Name": name, "Unit": unit});
    let metrics: Vec<Value> = values.iter().map(metric).collect();
    let directive = json!({"Namespace": namespace, "Dimensions": [["Service"]], "Metrics": metrics});
    let mut line = Map::new();
    line.insert("_aws".to_owned(), json!({"Timestamp": at.timestamp_millis(), "CloudWatchMetrics": [directive]}));
    line.insert("Service".to_owned(), "lookup".into());
    line.extend(values.into_iter().map(|(name, _, value)| (name.to_owned(), json!(value))));
    Value::Object(line).to_string()
}

fn values(measured: &Measured) -> Vec<(&'static str, &'static str, f64)> {
    let Measured { before, now, latency, .. } = measured;
    let since = |of: fn(&Counts) -> u64| of(now).saturating_sub(of(before));
    let (gets, hits) = (since(|counts| counts.gets), since(|counts| counts.memory_hits + counts.redis_hits));
    let mut values = vec![
        ("Requests", "Count", exact(measured.requests)),
        ("NotFound", "Count", exact(measured.not_found)),
        ("Refused", "Count", exact(measured.refused)),
        ("Faults", "Count", exact(measured.faults)),
        ("KeysAsked", "Count", exact(gets)),
        ("MemoryHits", "Count", exact(since(|counts| counts.memory_hits))),
        ("RedisHits", "Count", exact(since(|counts| counts.redis_hits))),
        ("RedisErrors", "Count", exact(since(|counts| counts.redis_errors))),
        ("S3Reads", "Count", exact(since(|counts| counts.s3_reads))),
        ("S3Errors", "Count", exact(since(|counts| counts.s3_errors))),
        ("PublicationProblems", "Count", exact(since(|counts| counts.problems))),
    ];
    if gets > 0 {
        values.push(("HitRatio", "None", exact(hits) / exact(gets)));
    }
    for (name, share) in [("LatencyP50", 0.5), ("LatencyP99", 0.99), ("LatencyMax", 1.0)] {
        values.extend(latency.percentile_ms(share).map(|ms| (name, "Milliseconds", ms)));
    }
    values
}

#[allow(clippy::cast_precision_loss)] // far below 2^52
fn exact(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::Latency;

    #[test]
    fn every_metric_that_is_named_has_a_value() {
        let latency = Latency::default();
        latency.record(std::time::Duration::from_millis(2));
        let before = Counts { gets: 10, memory_hits: 5, ..Counts::default() };
        let now = Counts { gets: 14, memory_hits: 6, redis_hits: 1, s3_reads: 2, ..Counts::default() };
        let (requests, not_found, refused, faults, latency) = (4, 0, 0, 0, latency.take());
        let measured = Measured { requests, not_found, refused, faults, latency, before, now };
        let at = "2026-11-25T08:30:10.250Z".parse().unwrap();
        let line: Value = serde_json::from_str(&line("isthmus/prod", &measured, at)).unwrap();
        assert_eq!(line["_aws"]["Timestamp"], 1_795_595_410_250_i64);
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(
            (&directive["Namespace"], &directive["Dimensions"]),
            (&json!("isthmus/prod"), &json!([["Service"]]))
        );
        for metric in directive["Metrics"].as_array().unwrap() {
            assert!(line[metric["Name"].as_str().unwrap()].is_f64(), "{metric}");
        }
        assert_eq!(
            (&line["HitRatio"], &line["S3Reads"], &line["Service"]),
            (&json!(0.5), &json!(2.0), &json!("lookup"))
        );
        assert!(line["LatencyP99"].as_f64().unwrap() >= 2.0);
    }
}
