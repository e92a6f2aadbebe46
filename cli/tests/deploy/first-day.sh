#!/usr/bin/env bash
# isthmus first-day stg
set -euo pipefail

# start-export: the newest snapshot
BUCKET=$(aws ssm get-parameter --name=/isthmus/stg/export-bucket --query=Parameter.Value --output=text --region=ap-northeast-1)
[[ -n $BUCKET && $BUCKET != None ]] # isthmus deploy stg comes first
mkdir -p terraform/aws/generated
cat >terraform/aws/generated/first-day.event.json <<EOF
{"kind":"manual"}
EOF
aws lambda invoke --function-name=stg-start-export --payload=fileb://terraform/aws/generated/first-day.event.json --region=ap-northeast-1 terraform/aws/generated/first-day.json

# RDS exports it to S3, 30 to 60 minutes
TASK=$(sed -n -E 's/.*"task_id":"([^"]+)".*/\1/p' terraform/aws/generated/first-day.json)
[[ -n $TASK && $TASK != None ]] # start-export failed, terraform/aws/generated/first-day.json says why
SECONDS=0 # RDS says why in the task's FailureCause; a spot export can be started at once
until FOUND=$(aws rds describe-export-tasks "--export-task-identifier=$TASK" --output=text '--query=ExportTasks[0].[Status,PercentProgress]' --region=ap-northeast-1 2>/dev/null) && [[ $FOUND == COMPLETE* ]]; do
  ((SECONDS < 36000))
  [[ $FOUND != FAILED* ]]
  [[ $FOUND != CANCELED* ]]
  sleep 30
done

# publish-export verifies it and writes the manifest, by RDS's event or the poll
SECONDS=0 # the log of stg-publish-export says what keeps it; the poll tries again every 15 minutes
until FOUND=$(aws s3api head-object "--bucket=$BUCKET" "--key=$TASK/manifest.json" --query=ContentType --output=text --region=ap-northeast-1 2>/dev/null) && [[ -n $FOUND ]]; do
  ((SECONDS < 2400))
  sleep 30
done

# Google: load-export proves the rows, dbt builds, bigquery-to-s3 publishes
BEGAN=$(aws rds describe-export-tasks "--export-task-identifier=$TASK" '--query=ExportTasks[0].TaskStartTime' --output=text --region=ap-northeast-1)
[[ -n $BEGAN && $BEGAN != None ]] # RDS does not know the export any more
SECONDS=0 # gcloud workflows executions list isthmus-stg-daily shows the error; where none was started, the log of stg-publish-export says why
until FOUND=$(gcloud workflows executions list isthmus-stg-daily --location=asia-northeast1 --project=shop-isthmus-stg '--sort-by=~startTime' --limit=1 "--filter=startTime>=\"$BEGAN\"" '--format=value(state)' 2>/dev/null) && [[ $FOUND == SUCCEEDED* ]]; do
  ((SECONDS < 36000))
  [[ $FOUND != FAILED* ]]
  [[ $FOUND != CANCELLED* ]]
  sleep 30
done
