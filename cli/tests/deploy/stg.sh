#!/usr/bin/env bash
# isthmus deploy stg, the first time: later, the command leaves out what would take back what is there
set -euo pipefail

# What is needed: tools, and who you are
terraform version >/dev/null # Terraform 1.11 or later: developer.hashicorp.com/terraform/install
sam --version >/dev/null # pip install aws-sam-cli
cargo lambda --version >/dev/null # pip install cargo-lambda
AWS_ACCOUNT=$(aws sts get-caller-identity --query Account --output text)
[[ -n $AWS_ACCOUNT && $AWS_ACCOUNT != None ]] # aws sso login, or AWS_PROFILE
TAG=$(git rev-parse --short=12 HEAD)
[[ -n $TAG && $TAG != None ]] # images are called after the commit: run this in a clone that has one
test -z "$(git status --porcelain --untracked-files=all -- . ':(exclude)config' ':(exclude)docs' ':(exclude)samconfig.toml' ':(exclude)terraform')" # commit it or take it away: images are called after the commit that they were made of
gcloud projects describe shop-isthmus-stg '--format=value(projectNumber)' >/dev/null # gcloud auth login, with an account that may see shop-isthmus-stg
gcloud auth application-default print-access-token >/dev/null # gcloud auth application-default login
aws rds describe-db-clusters --db-cluster-identifier shop-aurora --region ap-northeast-1 >/dev/null # the account has no cluster shop-aurora in ap-northeast-1: look at config/environments.yaml and AWS_PROFILE

# Google: APIs and agents that Terraform needs
gcloud services enable cloudresourcemanager.googleapis.com serviceusage.googleapis.com storage.googleapis.com bigquerydatatransfer.googleapis.com workflows.googleapis.com --project=shop-isthmus-stg
gcloud beta services identity create --service=bigquerydatatransfer.googleapis.com --project=shop-isthmus-stg
gcloud beta services identity create --service=workflows.googleapis.com --project=shop-isthmus-stg

# Google: where the state is
if ! { gcloud storage buckets describe gs://shop-isthmus-stg-isthmus-state >/dev/null 2>&1; }; then
  gcloud storage buckets create gs://shop-isthmus-stg-isthmus-state --project=shop-isthmus-stg --location=asia-northeast1 --uniform-bucket-level-access --public-access-prevention
fi
gcloud storage buckets update gs://shop-isthmus-stg-isthmus-state --versioning
terraform -chdir=terraform/gcp init -reconfigure -input=false -backend-config=backend/stg.hcl -backend-config=bucket=shop-isthmus-stg-isthmus-state

# Google: accounts, datasets, registry, secrets
mkdir -p terraform/gcp/generated
cat >terraform/gcp/generated/stg.tfvars.json <<EOF
{
  "alert_emails": [
    "data@shop.test"
  ],
  "location": "asia-northeast1",
  "project": "shop-isthmus-stg"
}
EOF
terraform -chdir=terraform/gcp plan -input=false -detailed-exitcode -var-file=stg.tfvars -var-file=generated/stg.tfvars.json -out=generated/stg.plan || test $? -eq 2
terraform -chdir=terraform/gcp apply -input=false generated/stg.plan

# AWS: where the state is
if ! { aws s3api head-bucket "--bucket=isthmus-stg-state-$AWS_ACCOUNT" --region=ap-northeast-1 >/dev/null 2>&1; }; then
  aws s3api create-bucket "--bucket=isthmus-stg-state-$AWS_ACCOUNT" --region=ap-northeast-1 --create-bucket-configuration=LocationConstraint=ap-northeast-1
fi
aws s3api put-bucket-versioning "--bucket=isthmus-stg-state-$AWS_ACCOUNT" --region=ap-northeast-1 --versioning-configuration=Status=Enabled
terraform -chdir=terraform/aws init -reconfigure -input=false -backend-config=backend/stg.hcl "-backend-config=bucket=isthmus-stg-state-$AWS_ACCOUNT" -backend-config=region=ap-northeast-1

# AWS: buckets, key, roles, topic
mkdir -p terraform/aws/generated
terraform -chdir=terraform/gcp output -json for_aws >terraform/aws/generated/stg.google.tfvars.json
mkdir -p terraform/aws/generated
cat >terraform/aws/generated/stg.tfvars.json <<EOF
{
  "cluster": "shop-aurora",
  "notification_emails": [
    "data@shop.test"
  ],
  "region": "ap-northeast-1"
}
EOF
terraform -chdir=terraform/aws plan -input=false -detailed-exitcode -var-file=stg.tfvars -var-file=generated/stg.tfvars.json -var-file=generated/stg.google.tfvars.json -out=generated/stg.plan || test $? -eq 2
terraform -chdir=terraform/aws apply -input=false generated/stg.plan

# AWS: the functions and their triggers
if ! { aws cloudformation describe-stacks --stack-name isthmus-stg --region ap-northeast-1 >/dev/null 2>&1; }; then
  aws cloudwatch put-metric-data --metric-name DaysWithExport --value 1 --namespace=isthmus/stg --region=ap-northeast-1
fi
sam build --config-env stg
sam deploy --config-env stg --region ap-northeast-1 --no-confirm-changeset

# Images of the jobs
if ! { gcloud artifacts docker images describe "asia-northeast1-docker.pkg.dev/shop-isthmus-stg/isthmus/load-export:$TAG" --project=shop-isthmus-stg >/dev/null 2>&1 && gcloud artifacts docker images describe "asia-northeast1-docker.pkg.dev/shop-isthmus-stg/isthmus/bigquery-to-s3:$TAG" --project=shop-isthmus-stg >/dev/null 2>&1 && gcloud artifacts docker images describe "asia-northeast1-docker.pkg.dev/shop-isthmus-stg/isthmus/dbt:$TAG" --project=shop-isthmus-stg >/dev/null 2>&1; }; then
  gcloud builds submit . --config=cloudbuild.yaml --project=shop-isthmus-stg --service-account=projects/shop-isthmus-stg/serviceAccounts/isthmus-build@shop-isthmus-stg.iam.gserviceaccount.com --gcs-source-staging-dir=gs://shop-isthmus-stg-isthmus-build/source "--substitutions=_REGISTRY=asia-northeast1-docker.pkg.dev/shop-isthmus-stg/isthmus,_TAG=$TAG"
fi

# The key of Data Transfer, whose secret goes from AWS to Google without being shown
if ! { terraform/rotate-transfer-key.sh check stg shop-isthmus-stg terraform/gcp/generated/stg.key.tfvars.json >/dev/null 2>&1; }; then
  terraform/rotate-transfer-key.sh start stg shop-isthmus-stg terraform/gcp/generated/stg.key.tfvars.json
fi

# Google: jobs, workflow, alerts, transfers
mkdir -p terraform/gcp/generated
cat >terraform/gcp/generated/stg.tfvars.json <<EOF
{
  "alert_emails": [
    "data@shop.test"
  ],
  "aws": {
    "account_id": "$AWS_ACCOUNT",
    "region": "ap-northeast-1"
  },
  "image_tag": "$TAG",
  "location": "asia-northeast1",
  "project": "shop-isthmus-stg"
}
EOF
terraform -chdir=terraform/gcp plan -input=false -detailed-exitcode -var-file=stg.tfvars -var-file=generated/stg.tfvars.json -var-file=generated/stg.key.tfvars.json -out=generated/stg.plan || test $? -eq 2
terraform -chdir=terraform/gcp apply -input=false generated/stg.plan
