//! What IAM would say to the calls that a program really made: the requests that passed a wire become actions on
//! resources, and a policy allows them or not.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use local::wire::Recorded;
use percent_encoding::percent_decode_str;
use serde_json::Value;

/// An action on a resource, as IAM is asked for it.
pub type Call = (String, String);

/// What a request to S3 needs. An object that is not there is told as such only to who may list.
pub fn s3_calls(request: &Recorded, key_arn: &str) -> Result<Vec<Call>> {
    let path = percent_decode_str(request.path.trim_start_matches('/')).decode_utf8()?.into_owned();
    let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
    let object = |key: &str| format!("arn:aws:s3:::{bucket}/{key}");
    let list = || ("s3:ListBucket".to_owned(), format!("arn:aws:s3:::{bucket}"));
    let on = |action: &str, key: &str| (action.to_owned(), object(key));
    let with_key = |action: &str| (action.to_owned(), key_arn.to_owned());
    Ok(match (request.method.as_str(), key) {
        ("GET" | "HEAD", "") => vec![list()],
        ("GET" | "HEAD", key) if request.status == Some(404) => vec![on("s3:GetObject", key), list()],
        ("GET" | "HEAD", key) => vec![on("s3:GetObject", key), with_key("kms:Decrypt")],
        ("PUT", key) => {
            let mut calls = vec![on("s3:PutObject", key), with_key("kms:GenerateDataKey")];
            if let Some(source) = request.headers.get("x-amz-copy-source") {
                let source = percent_decode_str(source.to_str()?.trim_start_matches('/')).decode_utf8()?;
                calls.push(("s3:GetObject".into(), format!("arn:aws:s3:::{source}")));
                calls.push(with_key("kms:Decrypt"));
            }
            calls
        }
        ("DELETE", key) => vec![on("s3:DeleteObject", key)],
        ("POST", "") if request.query.starts_with("delete") => {
            between(&request.body_text(), "<Key>", "</Key>").map(|key| on("s3:DeleteObject", key)).collect()
        }
        (method, key) => anyhow::bail!("no right is known for {method} {key}?{}", request.query),
    })
}

/// What a call of RDS needs. It takes the role it is given, and asks for a grant on the key in the caller's name.
pub fn rds_calls(request: &Recorded, cluster_arn: &str) -> Result<Vec<Call>> {
    let form = form(request);
    let field = |name: &str| form.get(name).cloned().with_context(|| format!("no {name} in {form:?}"));
    Ok(match field("Action")?.as_str() {
        "DescribeDBClusters" => vec![("rds:DescribeDBClusters".into(), cluster_arn.into())],
        "DescribeDBClusterSnapshots" => vec![("rds:DescribeDBClusterSnapshots".into(), cluster_arn.into())],
        "DescribeExportTasks" => vec![("rds:DescribeExportTasks".into(), "*".into())],
        "StartExportTask" => vec![
            ("rds:StartExportTask".into(), field("SourceArn")?),
            ("iam:PassRole".into(), field("IamRoleArn")?),
            ("kms:DescribeKey".into(), field("KmsKeyId")?),
            ("kms:CreateGrant".into(), field("KmsKeyId")?),
        ],
        other => anyhow::bail!("no right is known for {other}"),
    })
}

pub fn sns_calls(request: &Recorded) -> Result<Vec<Call>> {
    let form = form(request);
    let topic = form.get("TopicArn").context("no TopicArn")?.clone();
    Ok(vec![("sns:Publish".into(), topic)])
}

fn form(request: &Recorded) -> BTreeMap<String, String> {
    let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let body = request.body_text();
    body.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (name.into(), decoded(value))).collect()
}

fn between<'a>(text: &'a str, start: &'a str, end: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(start).skip(1).filter_map(move |rest| rest.split_once(end).map(|(inner, _)| inner))
}

/// The Allow statements of an identity's policy. isthmus has no Deny in one.
pub struct Policy {
    statements: Vec<Statement>,
}

struct Statement {
    actions: Vec<String>,
    resources: Vec<String>,
    /// Operator, key, value.
    conditions: Vec<(String, String, Vec<String>)>,
}

impl Policy {
    pub fn read(document: &Value) -> Result<Self> {
        let statements = document["Statement"].as_array().context("no statements")?;
        Ok(Self { statements: statements.iter().map(statement).collect::<Result<_>>()? })
    }

    /// `context` holds what AWS knows about the request: `kms:ViaService` and the like.
    pub fn allows(&self, (action, resource): &Call, context: &BTreeMap<String, String>) -> bool {
        self.statements.iter().any(|statement| {
            let any = |patterns: &[String], text: &str| patterns.iter().any(|pattern| matches(pattern, text));
            any(&statement.actions, action)
                && any(&statement.resources, resource)
                && statement.conditions.iter().all(|condition| holds(condition, context))
        })
    }

    pub fn actions(&self) -> BTreeSet<&str> {
        self.statements.iter().flat_map(|statement| &statement.actions).map(String::as_str).collect()
    }
}

fn statement(value: &Value) -> Result<Statement> {
    anyhow::ensure!(value["Effect"] == "Allow", "not an Allow: {value}");
    let mut conditions = Vec::new();
    for (operator, keys) in value["Condition"].as_object().into_iter().flatten() {
        for (key, values) in keys.as_object().context("no keys in a condition")? {
            conditions.push((operator.clone(), key.clone(), strings(values)));
        }
    }
    Ok(Statement { actions: strings(&value["Action"]), resources: strings(&value["Resource"]), conditions })
}

fn strings(value: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    value.as_array().map_or_else(|| vec![text(value)], |list| list.iter().map(text).collect())
}

fn holds((operator, key, values): &(String, String, Vec<String>), context: &BTreeMap<String, String>) -> bool {
    let known = ["StringEquals", "Bool", "ArnEquals"].contains(&operator.as_str());
    known && context.get(key).is_some_and(|value| values.contains(value))
}

/// IAM's patterns: `*` is any text, `?` any sign. Source: IAM User Guide, "IAM JSON policy elements: Resource".
fn matches(pattern: &str, text: &str) -> bool {
    let Some(first) = pattern.chars().next() else { return text.is_empty() };
    let (pattern, mut rest) = (&pattern[first.len_utf8()..], text.chars());
    match first {
        '*' => matches(pattern, text) || rest.next().is_some_and(|_| matches(&format!("*{pattern}"), rest.as_str())),
        '?' => rest.next().is_some() && matches(pattern, rest.as_str()),
        sign => rest.next() == Some(sign) && matches(pattern, rest.as_str()),
    }
}
