"""The deployed API on AWS: behind the deployment's load balancer, with the key alone."""

import json

import boto3

from ragonotebooks.lesson.connect import Lab
from ragonotebooks.operate.api import Api


def api_of(lab: Lab) -> Api:
    """The deployment's API."""
    balancers = boto3.client("elbv2").describe_load_balancers(Names=[lab.name])["LoadBalancers"]
    stored = boto3.client("secretsmanager").get_secret_value(SecretId=f"{lab.name}/api")["SecretString"]
    key = json.loads(stored)["key"]
    return Api(f"http://{balancers[0]['DNSName']}", lambda: {"X-API-Key": key})
