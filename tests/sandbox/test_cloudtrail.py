"""CloudTrail: what was called is found again, and a trail delivers what it selects to a bucket that lets it."""

import gzip
import json
import secrets
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ragonotebooks.sandbox.aws import trail_lookup, trail_selectors
from ragonotebooks.sandbox.aws.errors import ApiError
from ragonotebooks.sandbox.aws.trail_records import Record, record_of
from ragonotebooks.sandbox.ledger import Call
from tests.sandbox.conftest import ACCOUNT, Sandbox, eventually

OPERATOR = f"arn:aws:iam::{ACCOUNT}:user/operator"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/job/one"


def record(action: str, service: str = "s3", caller: str = OPERATOR, number: int = 0, **more: Any) -> Record:
    call = Call(caller=caller, service=service, action=action, region="us-east-1", status=200, **more)
    return record_of(call, number, "sandbox", ACCOUNT)


def test_a_task_is_known_by_its_role_and_its_session() -> None:
    identity = record("GetObject", caller=SESSION)["userIdentity"]
    assert identity["type"] == "AssumedRole"
    assert identity["sessionContext"]["sessionIssuer"]["userName"] == "job"


def test_what_the_ledger_does_not_know_is_absent() -> None:
    assert {"requestParameters", "sourceIPAddress", "errorCode", "resources"}.isdisjoint(record("ListBuckets"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("EventName", "DeleteBucket"),
        ("Username", "one"),
        ("ResourceName", "papers"),
        ("ResourceName", "arn:aws:s3:::papers"),
        ("ReadOnly", "false"),
    ],
)
def test_events_are_looked_up_by_one_attribute(key: str, value: str) -> None:
    wanted = record("DeleteBucket", caller=SESSION, resource="arn:aws:s3:::papers")
    asked = {"LookupAttributes": [{"AttributeKey": key, "AttributeValue": value}]}
    [found] = trail_lookup.lookup([record("ListBuckets", number=1), wanted], "us-east-1", asked)["Events"]
    assert found["EventName"] == "DeleteBucket"


def test_the_newest_event_comes_first_and_pages_go_on() -> None:
    records = [record(f"CreateThing{number}", number=number) for number in range(3)]
    one = trail_lookup.lookup(records, "us-east-1", {"MaxResults": 2})
    later = [*records, record("CreateThing3", number=3)]
    two = trail_lookup.lookup(later, "us-east-1", {"MaxResults": 2, "NextToken": one["NextToken"]})
    assert [event["EventName"][-1] for event in [*one["Events"], *two["Events"]]] == ["2", "1", "0"]
    assert "NextToken" not in two


def test_an_attribute_that_the_ledger_lacks_is_refused() -> None:
    asked = {"LookupAttributes": [{"AttributeKey": "AccessKeyId", "AttributeValue": "AKIA"}]}
    with pytest.raises(ApiError, match="AccessKeyId"):
        trail_lookup.lookup([], "us-east-1", asked)


def test_without_selectors_a_trail_takes_management_events_alone() -> None:
    assert trail_selectors.selects([], [], record("CreateBucket"))
    assert not trail_selectors.selects([], [], record("GetObject", resource="arn:aws:s3:::papers/a"))


@pytest.mark.parametrize(
    ("arn", "selected"),
    [("arn:aws:s3:::papers/a", True), ("arn:aws:s3:::papers", True), ("arn:aws:s3:::papers-2/a", False)],
)
def test_selectors_take_the_objects_of_a_bucket(arn: str, selected: bool) -> None:
    basic = [{"DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::papers/"]}]}]
    assert trail_selectors.selects(basic, [], record("GetObject", resource=arn)) is selected


def test_advanced_selectors_need_all_their_fields() -> None:
    fields = [
        {"Field": "eventCategory", "Equals": ["Data"]},
        {"Field": "resources.type", "Equals": ["AWS::S3::Object"]},
        {"Field": "eventName", "NotEquals": ["GetObject"]},
    ]
    advanced = [{"FieldSelectors": fields}]
    trail_selectors.check([], advanced)
    assert trail_selectors.selects([], advanced, record("DeleteObject"))
    assert not trail_selectors.selects([], advanced, record("GetObject"))
    assert not trail_selectors.selects([], advanced, record("DeleteBucket"))


def test_data_events_of_other_services_are_refused() -> None:
    with pytest.raises(ApiError, match="AWS::Lambda::Function"):
        trail_selectors.check([{"DataResources": [{"Type": "AWS::Lambda::Function", "Values": []}]}], [])


def statement(bucket: str) -> dict[str, Any]:
    cloudtrail = {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}}
    arn = f"arn:aws:s3:::{bucket}"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {**cloudtrail, "Action": "s3:GetBucketAcl", "Resource": arn},
            {**cloudtrail, "Action": "s3:PutObject", "Resource": f"{arn}/AWSLogs/{ACCOUNT}/*"},
        ],
    }


def test_a_trail_delivers_who_deleted_what(sandbox: Sandbox) -> None:
    s3, cloudtrail = sandbox.client("s3"), sandbox.client("cloudtrail")
    bucket = name = f"trail-{secrets.token_hex(4)}"
    s3.create_bucket(Bucket=bucket)
    with pytest.raises(ClientError, match="InsufficientS3BucketPolicyException"):
        cloudtrail.create_trail(Name=name, S3BucketName=bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(statement(bucket)))
    cloudtrail.create_trail(Name=name, S3BucketName=bucket)
    objects = {"Type": "AWS::S3::Object", "Values": [f"arn:aws:s3:::{bucket}/kept/"]}
    cloudtrail.put_event_selectors(TrailName=name, EventSelectors=[{"DataResources": [objects]}])
    cloudtrail.start_logging(Name=name)
    s3.put_object(Bucket=bucket, Key="kept/a", Body=b"a")
    s3.delete_object(Bucket=bucket, Key="kept/a")
    s3.put_object(Bucket=bucket, Key="other", Body=b"a")

    def delivered() -> list[Record]:
        keys = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket, Prefix="AWSLogs/").get("Contents", [])]
        files = [s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys]
        return [one for data in files for one in json.loads(gzip.decompress(data))["Records"]]

    eventually(lambda: any(one["eventName"] == "DeleteObject" for one in delivered()))
    found = [(one["eventName"], one["resources"][0]["ARN"]) for one in delivered() if not one["managementEvent"]]
    assert found == [("PutObject", f"arn:aws:s3:::{bucket}/kept/a"), ("DeleteObject", f"arn:aws:s3:::{bucket}/kept/a")]
    assert cloudtrail.get_trail_status(Name=name)["LatestDeliveryTime"]
    named = [{"AttributeKey": "ResourceName", "AttributeValue": bucket}]
    events = cloudtrail.lookup_events(LookupAttributes=named)["Events"]
    assert {event["EventName"] for event in events} >= {"CreateBucket", "PutBucketPolicy"}
    assert "DeleteObject" not in {event["EventName"] for event in events}
