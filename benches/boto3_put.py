#!/usr/bin/env python3
"""The peer of the PUT engine for the figures: boto3 in a pool of threads. It says `ready` when it is warm, begins at a
line, says `done`, and ends at the end of its input."""

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config

BODY = b"x" * 1024
WARMING_ROUNDS = 5

arguments = argparse.ArgumentParser()
arguments.add_argument("way")
arguments.add_argument("--endpoint")
for ours in ("--sts", "--role", "--audience"):
    arguments.add_argument(ours)
arguments.add_argument("--objects", type=int)
arguments.add_argument("--connections", type=int)
arguments = arguments.parse_args()

s3 = boto3.client(
    "s3",
    endpoint_url=arguments.endpoint,
    region_name="ap-northeast-1",
    aws_access_key_id="ASIAIOSFODNN7EXAMPLE",
    aws_secret_access_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    aws_session_token="t" * 1000,
    config=Config(max_pool_connections=arguments.connections, s3={"addressing_style": "path"}),
)


def put(n):
    key = f"user-profiles/0101/user-{n:08}.json"
    s3.put_object(Bucket="bench", Key=key, Body=BODY, ContentType="application/json")


def turn(word):
    print(word, flush=True)
    sys.stdin.readline()


with ThreadPoolExecutor(arguments.connections) as pool:
    for _ in pool.map(put, range(WARMING_ROUNDS * arguments.connections)):
        pass
    turn("ready")
    for _ in pool.map(put, range(arguments.objects)):
        pass
    turn("done")
