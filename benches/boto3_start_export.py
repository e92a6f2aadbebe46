#!/usr/bin/env python3
"""The peer of start-export for the figures: the same calls with boto3, under a runtime loop of the standard library."""

import json
import os
from datetime import datetime, timedelta, timezone
from urllib.request import Request, urlopen

import boto3
from botocore.exceptions import ClientError

RUNTIME = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime"
TOKYO = timezone(timedelta(hours=9))
rds = boto3.client("rds")


def newest_snapshot():
    pages = rds.get_paginator("describe_db_cluster_snapshots").paginate(
        DBClusterIdentifier=os.environ["DB_CLUSTER_IDENTIFIER"], SnapshotType="automated"
    )
    available = [s for page in pages for s in page["DBClusterSnapshots"] if s["Status"] == "available"]
    newest = max(available, key=lambda snapshot: snapshot["SnapshotCreateTime"])
    if datetime.now(timezone.utc) - newest["SnapshotCreateTime"] > timedelta(hours=24):
        raise RuntimeError(f"{newest['DBClusterSnapshotArn']} is stale")
    return newest


def handle(event):
    time = event.get("scheduled_time", f"{event.get('export_date')}T00:00:00+09:00")
    date = datetime.fromisoformat(time.replace("Z", "+00:00")).astimezone(TOKYO)
    task, snapshot = f"{os.environ['ENV']}-{date:%Y%m%d}", newest_snapshot()
    started = True
    try:
        rds.start_export_task(
            ExportTaskIdentifier=task,
            SourceArn=snapshot["DBClusterSnapshotArn"],
            S3BucketName=os.environ["S3_BUCKET_NAME"],
            IamRoleArn=os.environ["EXPORT_ROLE_ARN"],
            KmsKeyId=os.environ["KMS_KEY_ID"],
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExportTaskAlreadyExists":
            raise
        held = rds.describe_export_tasks(ExportTaskIdentifier=task)["ExportTasks"][0]
        if held["SourceArn"] != snapshot["DBClusterSnapshotArn"]:
            raise RuntimeError(f"{task} exports {held['SourceArn']} already") from error
        started = False
    return {
        "task_id": task,
        "snapshot_arn": snapshot["DBClusterSnapshotArn"],
        "snapshot_time": snapshot["SnapshotCreateTime"].isoformat(),
        "export_date": f"{date:%Y-%m-%d}",
        "started": started,
    }


def post(path, body):
    data = json.dumps(body).encode()
    urlopen(Request(f"{RUNTIME}/{path}", data=data, headers={"Content-Type": "application/json"})).close()


while True:
    with urlopen(f"{RUNTIME}/invocation/next") as response:
        request, event = response.headers["Lambda-Runtime-Aws-Request-Id"], json.load(response)
    try:
        post(f"invocation/{request}/response", handle(event))
    except Exception as error:  # the runtime's own boundary
        post(f"invocation/{request}/error", {"errorType": type(error).__name__, "errorMessage": str(error)})
