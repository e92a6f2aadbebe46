//! A role allows what its function calls, and nothing that the function does not call.

use std::collections::BTreeSet;

use anyhow::Result;

use super::variables::{FUNCTIONS, sources};
use crate::step::Running;
use crate::template;

/// What a call of an SDK needs. Source: AWS service authorization reference.
const CALLS: [(&str, &[&str]); 12] = [
    (".describe_db_clusters()", &["rds:DescribeDBClusters"]),
    (".describe_db_cluster_snapshots()", &["rds:DescribeDBClusterSnapshots"]),
    (".describe_export_tasks()", &["rds:DescribeExportTasks"]),
    // RDS takes the role, and asks for a grant on the key in our name.
    (".start_export_task()", &["rds:StartExportTask", "iam:PassRole", "kms:DescribeKey", "kms:CreateGrant"]),
    (".list_objects_v2()", &["s3:ListBucket"]),
    (".head_object()", &["s3:GetObject", "kms:Decrypt"]),
    (".get_object()", &["s3:GetObject", "kms:Decrypt"]),
    (".put_object()", &["s3:PutObject", "kms:GenerateDataKey"]),
    (".copy_object()", &["s3:GetObject", "s3:PutObject", "kms:Decrypt", "kms:GenerateDataKey"]),
    (".delete_object", &["s3:DeleteObject"]), // one, or many at a time
    (".publish()", &["sns:Publish"]),
    // Not sent by us: the signed request is the password of Redis.
    (".name(\"elasticache\")", &["elasticache:Connect"]),
];

/// What a function's code needs that stands in a crate.
const CRATES: [(&str, &str); 1] = [("lookup", "reader")];

/// Without s3:ListBucket, an object that is not there looks like one that may not be read.
const TOLD_MISSING: (&str, &str) = ("is_no_such_key", "s3:ListBucket");

/// What Lambda itself does with the role, by what of a function makes it do so.
const OF_LAMBDA: [(&str, &[&str]); 4] = [
    ("LoggingConfig:", &["logs:CreateLogStream", "logs:PutLogEvents"]),
    ("OnFailure:", &["sqs:SendMessage"]),
    (
        "VpcConfig:",
        &[
            "ec2:CreateNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSubnets",
            "ec2:DeleteNetworkInterface",
            "ec2:AssignPrivateIpAddresses",
            "ec2:UnassignPrivateIpAddresses",
        ],
    ),
    ("Type: AWS::Serverless::Function", &["xray:PutTraceSegments", "xray:PutTelemetryRecords"]),
];

pub(super) fn check(step: &mut Running<'_>) -> Result<String> {
    let text = crate::read(&step.workspace.root.join("template.yaml"))?;
    let mut problems = Vec::new();
    let mut count = 0;
    for function in FUNCTIONS {
        let role = template::below(&text, &format!("{}Role", template::logical_id(function)))?;
        let block = template::below(&text, &template::logical_id(function))?;
        let mut code = sources(step.workspace, "functions", function)?;
        for (_, part) in CRATES.iter().filter(|(of, _)| *of == function) {
            code += &sources(step.workspace, "crates", part)?;
        }
        let (allowed, needed) = (allowed(&role), needed(&code, &block));
        count += allowed.len();
        let missing = needed.difference(&allowed);
        problems.extend(missing.map(|action| format!("{function} needs {action}, its role does not allow it")));
        let idle = allowed.difference(&needed);
        problems.extend(idle.map(|action| format!("the role of {function} allows {action}, which it does not use")));
    }
    super::verdict(&problems, format!("{count} rights"))
}

/// `Action: s3:GetObject` and `Action: [s3:GetObject, s3:PutObject]`.
fn allowed(role: &str) -> BTreeSet<&str> {
    let actions = role.lines().filter_map(|line| line.trim().strip_prefix("Action: "));
    let actions = actions.flat_map(|list| list.trim_matches(['[', ']']).split(", "));
    actions.filter(|action| !action.starts_with("sts:")).collect() // who may assume the role, not what it may do
}

/// `block` is the function in the template.
fn needed(code: &str, block: &str) -> BTreeSet<&'static str> {
    let code: String = code.split_whitespace().collect(); // a chain of calls may be broken anywhere
    let called = CALLS.iter().filter(|(call, _)| code.contains(call));
    let lambda = OF_LAMBDA.iter().filter(|(cause, _)| block.contains(cause));
    let told_missing = code.contains(TOLD_MISSING.0).then_some(TOLD_MISSING.1);
    called.chain(lambda).flat_map(|(_, actions)| actions.iter().copied()).chain(told_missing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_brings_the_rights_that_it_needs() {
        let rights = needed("s3\n    .list_objects_v2()\n    .bucket(b)", "OnFailure:\n");
        assert_eq!(rights, ["s3:ListBucket", "sqs:SendMessage"].into());
    }

    #[test]
    fn a_role_s_actions_are_read_in_both_spellings() {
        let role = "Action: sts:AssumeRole\n  Action: rds:X\n  Action: [s3:A, s3:B]\n";
        assert_eq!(allowed(role), ["rds:X", "s3:A", "s3:B"].into());
    }
}
