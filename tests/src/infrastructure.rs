//! Terraform and SAM, as they are deployed: `terraform/aws` applied to moto, and the roles of `template.yaml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use local::moto::Moto;
use local::rds::REGION;
use local::tools;
use serde_json::Value;

/// The repository. cargo says where it is now: two clones that share a build folder share this program too.
pub fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&package).join("..")
}

pub fn has_terraform() -> bool {
    Command::new("terraform").arg("version").output().is_ok_and(|output| output.status.success())
}

/// What a database's owner has: ids of the network that moto begins with.
pub struct Network {
    pub vpc: String,
    pub subnet: String,
}

/// The root `terraform/aws`, on a copy of it, against moto.
pub struct Aws {
    folder: tempfile::TempDir,
    moto: Moto,
}

impl Aws {
    /// `variables` and `config/syncs.yaml` are the environment's.
    pub async fn new(variables: &Value, syncs: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("isthmus-terraform-aws-").tempdir()?;
        for entry in std::fs::read_dir(root().join("terraform/aws"))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "tf") {
                std::fs::copy(&path, folder.path().join(path.file_name().context("a file")?))?;
            }
        }
        // The state's own bucket is nobody's business here.
        std::fs::write(folder.path().join("backend_override.tf"), "terraform {\n  backend \"local\" {}\n}\n")?;
        std::fs::create_dir(folder.path().join("config"))?;
        std::fs::write(folder.path().join("config/syncs.yaml"), syncs)?;
        let moto = Moto::start(folder.path()).await?;
        let aws = Self { folder, moto };
        aws.set(variables)?;
        Ok(aws)
    }

    /// The variables, all of them.
    pub fn set(&self, variables: &Value) -> Result<()> {
        let mut variables = variables.clone();
        variables["config_dir"] = "config".into();
        Ok(std::fs::write(self.folder.path().join("terraform.tfvars.json"), variables.to_string())?)
    }

    /// A file beside `config/syncs.yaml`.
    pub fn configure(&self, name: &str, text: &str) -> Result<()> {
        Ok(std::fs::write(self.folder.path().join("config").join(name), text)?)
    }

    pub async fn network(&self) -> Result<Network> {
        Ok(Network {
            vpc: self.first("DescribeVpcs", "vpcId").await?,
            subnet: self.first("DescribeSubnets", "subnetId").await?,
        })
    }

    async fn first(&self, action: &str, element: &str) -> Result<String> {
        let authorization = format!("AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/ec2/aws4_request");
        let request = reqwest::Client::new().post(self.moto.endpoint()).header("authorization", authorization);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(format!("Action={action}&Version=2016-11-15")).send().await?.text().await?;
        let id = answer.split(&format!("<{element}>")).nth(1).and_then(|rest| rest.split('<').next());
        Ok(id.with_context(|| format!("{action} names none: {answer}"))?.to_owned())
    }

    /// `false` where the provider cannot be had. Who names where providers come from means them to be there.
    pub fn init(&self) -> Result<bool> {
        let output = self.output(&["init", "-input=false"])?;
        let unreachable = said(&output).contains("Failed to query available provider");
        if unreachable && std::env::var_os("TF_CLI_CONFIG_FILE").is_none() {
            return Ok(false);
        }
        ensure!(output.status.success(), "terraform init:\n{}", said(&output));
        Ok(true)
    }

    pub fn apply(&self) -> Result<()> {
        self.terraform(&["apply", "-input=false", "-auto-approve"])?;
        Ok(())
    }

    pub fn plan_is_empty(&self) -> Result<()> {
        let output = self.output(&["plan", "-input=false", "-detailed-exitcode"])?;
        ensure!(output.status.code() == Some(0), "a second plan is not empty:\n{}", said(&output));
        Ok(())
    }

    pub fn destroy(&self) -> Result<()> {
        self.terraform(&["destroy", "-input=false", "-auto-approve"])?;
        let left = self.terraform(&["state", "list"])?;
        ensure!(left.trim().is_empty(), "left after destroy:\n{left}");
        Ok(())
    }

    pub fn state(&self) -> Result<Value> {
        Ok(serde_json::from_str(&self.terraform(&["show", "-json"])?)?)
    }

    /// The policies of roles and users by the names of their owners.
    pub fn identity_policies(&self) -> Result<BTreeMap<String, Value>> {
        let state = self.state()?;
        let resources = state["values"]["root_module"]["resources"].as_array().context("no resources")?;
        let mut policies = BTreeMap::new();
        for resource in resources {
            let owner = match resource["type"].as_str() {
                Some("aws_iam_role_policy") => &resource["values"]["role"],
                Some("aws_iam_user_policy") => &resource["values"]["user"],
                _ => continue,
            };
            let document = resource["values"]["policy"].as_str().context("no policy")?;
            policies.insert(owner.as_str().context("no owner")?.to_owned(), serde_json::from_str(document)?);
        }
        Ok(policies)
    }

    /// What an output says.
    pub fn output_value(&self, name: &str) -> Result<Value> {
        Ok(serde_json::from_str(&self.terraform(&["output", "-json", name])?)?)
    }

    fn terraform(&self, arguments: &[&str]) -> Result<String> {
        let output = self.output(arguments)?;
        ensure!(output.status.success(), "terraform {}:\n{}", arguments.join(" "), said(&output));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn output(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = Command::new("terraform");
        command.args(arguments).current_dir(self.folder.path()).env_remove("TF_DATA_DIR");
        command.env("TF_CLI_ARGS", "-no-color").env("AWS_ENDPOINT_URL", self.moto.endpoint());
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        command.output().context("start terraform")
    }
}

fn said(output: &Output) -> String {
    [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat()
}

/// The policies of the roles in `template.yaml` by the functions' names, with its parameters filled in.
pub fn template_policies(parameters: &BTreeMap<&str, String>) -> Result<BTreeMap<String, Value>> {
    let template = template()?;
    let mut policies = BTreeMap::new();
    for resource in template["Resources"].as_object().context("no resources")?.values() {
        if resource["Type"] != "AWS::IAM::Role" {
            continue;
        }
        let policy = &resource["Properties"]["Policies"][0];
        let name = policy["PolicyName"].as_str().context("a policy without a name")?;
        policies.insert(name.to_owned(), filled_in(&policy["PolicyDocument"], parameters));
    }
    Ok(policies)
}

/// `!Sub x` becomes `{"!Sub": "x"}`.
pub fn template() -> Result<Value> {
    const READ: &str = "
import json, sys, yaml
def tagged(loader, suffix, node):
    kinds = {yaml.ScalarNode: loader.construct_scalar, yaml.SequenceNode: lambda n: loader.construct_sequence(n, True)}
    return {'!' + suffix: kinds.get(type(node), lambda n: loader.construct_mapping(n, True))(node)}
yaml.SafeLoader.add_multi_constructor('!', tagged)
print(json.dumps(yaml.safe_load(open(sys.argv[1])), default=str))
";
    let mut python = Command::new(tools::emulator("python")?);
    let output = python.args(["-c", READ]).arg(root().join("template.yaml")).output()?;
    ensure!(output.status.success(), "read template.yaml: {}", said(&output));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Conditions hold: what is optional is there.
fn filled_in(value: &Value, parameters: &BTreeMap<&str, String>) -> Value {
    let parameter = |name: &str| parameters.get(name).cloned().unwrap_or_else(|| format!("[{name}]"));
    match value {
        Value::Array(list) => list.iter().map(|value| filled_in(value, parameters)).collect(),
        Value::Object(map) => match map.iter().next().map(|(tag, inner)| (tag.as_str(), inner)) {
            Some(("!Ref" | "!GetAtt", Value::String(name))) => parameter(name).into(),
            Some(("!Sub", Value::String(text))) => {
                let mut text = text.clone();
                for (name, value) in parameters {
                    text = text.replace(&["${", name, "}"].concat(), value);
                }
                text.into()
            }
            // Of two kinds of Redis, the one that terraform/aws makes.
            Some(("!If", Value::Array(choice))) if choice[0] == "LookupRedisIsServerless" => {
                filled_in(&choice[2], parameters)
            }
            Some(("!If", Value::Array(choice))) => filled_in(&choice[1], parameters),
            _ => map.iter().map(|(name, value)| (name.clone(), filled_in(value, parameters))).collect(),
        },
        other => other.clone(),
    }
}
