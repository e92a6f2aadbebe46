//! The query protocol: a form in, XML out.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use axum::Form;
use axum::extract::State as AxumState;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use percent_encoding::percent_decode_str;

use super::State;
use super::fault::Fault;

const NAMESPACE: &str = "http://rds.amazonaws.com/doc/2014-10-31/";

/// Source: RDS API reference, `MaxRecords`: "Default: 100. Constraints: Minimum 20, maximum 100."
const RECORDS: std::ops::RangeInclusive<usize> = 20..=100;

pub(super) struct Parameters(HashMap<String, String>);

impl Parameters {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(super) fn required(&self, name: &str) -> Result<String, Fault> {
        let value = self.get(name).map(ToOwned::to_owned);
        value.ok_or_else(|| Fault::new("MissingParameter", format!("The request must contain the parameter {name}.")))
    }

    /// `{name}.1`, `{name}.2`, …
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        (1..).map_while(|index| self.0.get(&format!("{name}.{index}")).cloned()).collect()
    }

    /// Filters: their names and the values of each.
    pub(super) fn filters(&self) -> Vec<(String, Vec<String>)> {
        let filter = |index: usize| {
            let name = self.0.get(&format!("Filters.Filter.{index}.Name"))?.clone();
            Some((name, self.list(&format!("Filters.Filter.{index}.Values.Value"))))
        };
        (1..).map_while(filter).collect()
    }

    fn max_records(&self) -> Result<usize, Fault> {
        let Some(text) = self.get("MaxRecords") else { return Ok(*RECORDS.end()) };
        let records = text.parse().ok().filter(|records| RECORDS.contains(records));
        records
            .ok_or_else(|| Fault::invalid(format!("Invalid value {text} for MaxRecords. Must be between 20 and 100")))
    }

    /// One page of `all`, which `id` names, and the marker of the next.
    pub(super) fn page<T: Clone>(&self, all: &[T], id: impl Fn(&T) -> &str) -> Result<(Vec<T>, Option<String>), Fault> {
        let from = match self.get("Marker") {
            None => 0,
            Some(marker) => {
                let at = all.iter().position(|item| id(item) == marker);
                at.ok_or_else(|| Fault::invalid(format!("Unable to parse the provided marker {marker}")))? + 1
            }
        };
        let to = (from + self.max_records()?).min(all.len());
        let marker = all[..to].last().filter(|_| to < all.len()).map(|last| id(last).to_owned());
        Ok((all[from..to].to_vec(), marker))
    }
}

pub(super) async fn answer(
    AxumState(state): AxumState<Arc<State>>,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let parameters = Parameters(form);
    let action = parameters.get("Action").unwrap_or_default().to_owned();
    let result = match action.as_str() {
        "DescribeDBClusters" => state.describe_clusters(&parameters),
        "DescribeDBClusterSnapshots" => state.describe_snapshots(&parameters),
        "CreateDBClusterSnapshot" => state.create_snapshot(&parameters).await,
        "StartExportTask" => state.start_export(&parameters).await,
        "DescribeExportTasks" => state.describe_exports(&parameters),
        "CancelExportTask" => state.cancel_export(&parameters),
        _ => Err(Fault::new("InvalidAction", format!("The action {action} is not valid for this web service."))),
    };
    let request = uuid::Uuid::new_v4();
    let (status, body) = match result {
        Ok(result) => (200, success(&action, &result.0, &request.to_string())),
        Err(fault) => (fault.status, failure(&fault, &request.to_string())),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "text/xml")], body).into_response()
}

fn success(action: &str, result: &str, request: &str) -> String {
    format!(
        "<{action}Response xmlns=\"{NAMESPACE}\"><{action}Result>{result}</{action}Result>\
         <ResponseMetadata><RequestId>{request}</RequestId></ResponseMetadata></{action}Response>"
    )
}

pub(super) fn failure(fault: &Fault, request: &str) -> String {
    let (code, message) = (escaped(&fault.code), escaped(&fault.message));
    format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error><RequestId>{request}</RequestId></ErrorResponse>"
    )
}

/// Elements one after the other.
#[derive(Default)]
pub(super) struct Xml(pub(super) String);

impl Xml {
    pub(super) fn text(mut self, name: &str, text: impl AsRef<str>) -> Self {
        let _ = write!(self.0, "<{name}>{}</{name}>", escaped(text.as_ref()));
        self
    }

    pub(super) fn maybe(self, name: &str, text: Option<impl AsRef<str>>) -> Self {
        match text {
            Some(text) => self.text(name, text),
            None => self,
        }
    }

    pub(super) fn time(self, name: &str, time: Option<DateTime<Utc>>) -> Self {
        self.maybe(name, time.map(|time| time.to_rfc3339_opts(SecondsFormat::Millis, true)))
    }

    pub(super) fn list(mut self, name: &str, item: &str, items: impl IntoIterator<Item = Xml>) -> Self {
        let _ = write!(self.0, "<{name}>");
        for inner in items {
            let _ = write!(self.0, "<{item}>{}</{item}>", inner.0);
        }
        let _ = write!(self.0, "</{name}>");
        self
    }

    pub(super) fn wrapped(self, name: &str) -> Self {
        Self(format!("<{name}>{}</{name}>", self.0))
    }
}

/// An element's bare text.
pub(super) fn bare(text: &str) -> Xml {
    Xml(escaped(text))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// `arn:aws:rds:{region}:{account}:{kind}:{id}`: the kind and the id.
pub(super) fn parse_arn(arn: &str) -> Option<(String, String)> {
    let mut words = arn.splitn(7, ':');
    let ours = words.next() == Some("arn") && words.next().is_some() && words.next() == Some("rds");
    let (kind, id) = (words.nth(2)?, words.next()?);
    let id = percent_decode_str(id).decode_utf8().ok()?.into_owned();
    (ours && !id.is_empty()).then(|| (kind.to_owned(), id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(pairs: &[(&str, &str)]) -> Parameters {
        Parameters(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn pages_end_with_a_marker_until_the_last() {
        let all: Vec<String> = (0..45).map(|n| format!("id-{n}")).collect();
        let page = |marker: &str| parameters(&[("MaxRecords", "20"), ("Marker", marker)]).page(&all, |id| id).unwrap();
        let (first, marker) = page("");
        assert_eq!((first.len(), marker.as_deref()), (20, Some("id-19")));
        let (last, marker) = page("id-39");
        assert_eq!((last.len(), marker), (5, None));
        for bad in ["19", "101", "x"] {
            let fault = parameters(&[("MaxRecords", bad)]).page(&all, |id| id).unwrap_err();
            assert_eq!(fault.code, "InvalidParameterValue", "{bad}");
        }
    }

    #[test]
    fn an_automated_snapshot_has_a_colon_in_its_id() {
        let arn = "arn:aws:rds:ap-northeast-1:123456789012:cluster-snapshot:rds:shop-2026-11-21-17-05";
        let (kind, id) = parse_arn(arn).unwrap();
        assert_eq!((kind.as_str(), id.as_str()), ("cluster-snapshot", "rds:shop-2026-11-21-17-05"));
        assert_eq!(parse_arn("rds:shop"), None);
    }
}
