//! One JSON object a line in the cloud, text for people in a terminal; always on stderr, so that stdout stays for
//! results.

use std::fmt::{self, Debug};
use std::io::IsTerminal;

use chrono::{SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    /// `level` and `timestamp` are what Lambda's log filter reads, `severity` and `message` what Cloud Logging reads.
    Json,
}

impl LogFormat {
    /// JSON where the platform collects lines, or where `LOG_FORMAT=json` asks for it.
    pub fn detect() -> Self {
        let set = |name| std::env::var_os(name).is_some();
        let platforms = ["AWS_LAMBDA_FUNCTION_NAME", "CLOUD_RUN_JOB", "K_SERVICE", "ECS_CONTAINER_METADATA_URI_V4"];
        let cloud = platforms.into_iter().any(set);
        match std::env::var("LOG_FORMAT").as_deref() {
            Ok("json") => Self::Json,
            Ok("text") => Self::Text,
            _ if cloud => Self::Json,
            _ => Self::Text,
        }
    }
}

/// Call once, first thing in `main`. `RUST_LOG` chooses what is said; the default is `info`.
pub fn start_logging(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let base = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => base.with_target(false).with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => base.event_format(JsonLine).init(),
    }
}

struct JsonLine;

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields(Map::new());
        event.record(&mut fields);
        let line = line(*event.metadata().level(), event.metadata().target(), fields.0);
        writeln!(writer, "{line}")
    }
}

fn line(level: Level, target: &str, fields: Map<String, Value>) -> Value {
    let severity = match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        _ => "DEBUG",
    };
    let timestamp = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
    let mut line = json!({"timestamp": timestamp, "level": level.as_str(), "severity": severity, "target": target});
    if let Some(object) = line.as_object_mut() {
        object.extend(fields);
    }
    line
}

struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), Value::String(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_carries_the_words_of_both_clouds_and_the_fields() {
        let fields = json!({"message": "loaded shop.orders", "table": "shop.orders", "rows": 12});
        let line = line(Level::WARN, "load_export", fields.as_object().unwrap().clone());
        assert_eq!((&line["level"], &line["severity"]), (&json!("WARN"), &json!("WARNING")));
        assert_eq!((&line["message"], &line["rows"]), (&json!("loaded shop.orders"), &json!(12)));
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
    }
}
