"""CloudWatch, SNS, SQS, EventBridge, CloudTrail and Access Analyzer: what watches, tells and records."""

from collections.abc import Iterator
from typing import Any, Final

from ragonotebooks.cleanup.aws.listing import pages, tagged
from ragonotebooks.cleanup.kind import Found, Kind, belonging

_CHUNK: Final = 20  # as many as ListTags of CloudTrail takes


def _alarms(cloudwatch: Any) -> Iterator[Any]:
    for kind in ("CompositeAlarm", "MetricAlarm"):
        yield from pages(cloudwatch, "describe_alarms", f"{kind}s", AlarmTypes=[kind])


def _tags_in_cloudwatch(field: str) -> Any:
    return lambda cloudwatch, item: cloudwatch.list_tags_for_resource(ResourceARN=item[field])["Tags"]


def _delete_rule(events: Any, name: str) -> None:
    targets = [target["Id"] for target in pages(events, "list_targets_by_rule", "Targets", Rule=name)]
    if targets:
        events.remove_targets(Rule=name, Ids=targets)
    events.delete_rule(Name=name)


def _find_trails(cloudtrail: Any) -> Iterator[Found]:
    # a trail of several regions shows in each of them, and is deleted where it is at home
    trails = list(pages(cloudtrail, "list_trails", "Trails"))
    arns = [trail["TrailARN"] for trail in trails if trail["HomeRegion"] == cloudtrail.meta.region_name]
    for start in range(0, len(arns), _CHUNK):
        for about in pages(cloudtrail, "list_tags", "ResourceTagList", ResourceIdList=arns[start : start + _CHUNK]):
            yield from belonging(about["TagsList"], about["ResourceId"].rpartition("/")[2])


ALARMS: Final = tagged(
    "cloudwatch",
    "alarm",
    _alarms,
    lambda alarm: str(alarm["AlarmName"]),
    _tags_in_cloudwatch("AlarmArn"),
    lambda cloudwatch, name: cloudwatch.delete_alarms(AlarmNames=[name]),
)
DASHBOARDS: Final = tagged(
    "cloudwatch",
    "dashboard",
    lambda cloudwatch: pages(cloudwatch, "list_dashboards", "DashboardEntries"),
    lambda dashboard: str(dashboard["DashboardName"]),
    _tags_in_cloudwatch("DashboardArn"),
    lambda cloudwatch, name: cloudwatch.delete_dashboards(DashboardNames=[name]),
)
TOPICS: Final = tagged(
    "sns",
    "topic",
    lambda sns: pages(sns, "list_topics", "Topics"),
    lambda topic: str(topic["TopicArn"]),
    lambda sns, topic: sns.list_tags_for_resource(ResourceArn=topic["TopicArn"])["Tags"],
    lambda sns, arn: sns.delete_topic(TopicArn=arn),  # its subscriptions go with it
)
QUEUES: Final = tagged(
    "sqs",
    "queue",
    lambda sqs: pages(sqs, "list_queues", "QueueUrls"),
    str,
    lambda sqs, url: sqs.list_queue_tags(QueueUrl=url).get("Tags"),
    lambda sqs, url: sqs.delete_queue(QueueUrl=url),
)
RULES: Final = tagged(
    "events",
    "rule",
    lambda events: pages(events, "list_rules", "Rules"),
    lambda rule: str(rule["Name"]),
    lambda events, rule: events.list_tags_for_resource(ResourceARN=rule["Arn"])["Tags"],
    _delete_rule,
)
TRAILS: Final = Kind("cloudtrail", "trail", _find_trails, lambda cloudtrail, name: cloudtrail.delete_trail(Name=name))
ANALYZERS: Final = tagged(
    "accessanalyzer",
    "analyzer",
    lambda analyzer: pages(analyzer, "list_analyzers", "analyzers"),
    lambda item: str(item["name"]),
    lambda analyzer, item: item.get("tags"),
    lambda analyzer, name: analyzer.delete_analyzer(analyzerName=name),
    made="createdAt",
)
