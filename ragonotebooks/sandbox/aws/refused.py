"""Operations that are refused by name because moto would only pretend to do them, or would take them for others.

What moto lacks altogether is not listed here: it is refused because nothing answers. Reading operations about the same things
stay, since "there is none" is the truth about them.
"""

import re
from typing import Final

from ragonotebooks.sandbox.aws.actions import mutating

# moto takes these for another operation of the same path and method
_MISTAKEN: Final = frozenset(
    f"{verb}Bucket{what}Configuration{plural}"
    for what in ("Analytics", "IntelligentTiering", "Metrics", "MetadataTable", "Metadata")
    for verb, plural in (("Get", ""), ("Put", ""), ("Delete", ""), ("List", "s"), ("Create", ""))
) | {
    "CreateSession",
    "DeleteBucketInventoryConfiguration",
    "DeleteObjectAnnotation",
    "GetBucketAbac",
    "GetObjectAnnotation",
    "GetObjectTorrent",
    "ListDirectoryBuckets",
    "ListObjectAnnotations",
    "PutBucketAbac",
    "PutBucketRequestPayment",
    "PutObjectAnnotation",
    "RenameObject",
    "UpdateBucketMetadataAnnotationTableConfiguration",
    "UpdateBucketMetadataInventoryTableConfiguration",
    "UpdateBucketMetadataJournalTableConfiguration",
    "UpdateObjectEncryption",
    "WriteGetObjectResponse",
}
_OPERATIONS: Final = {
    # images, snapshots and prices that moto made up, and thousands of kinds of machines of which none runs
    "ec2": frozenset(
        {
            "DescribeImageAttribute",
            "DescribeImages",
            "DescribeInstanceTypes",
            "DescribeSnapshotAttribute",
            "DescribeSnapshotTierStatus",
            "DescribeSnapshots",
            "DescribeSpotPriceHistory",
        }
    ),
    # scans would find what is written in moto
    "ecr": frozenset({"DescribeImageScanFindings", "StartImageScan"}),
    "ecs": frozenset({"DescribeCapacityProviders", "DescribeContainerInstances"}),
    # listeners have no certificates, and change no header of what passes
    "elasticloadbalancing": frozenset(
        {"AddListenerCertificates", "ModifyListenerAttributes", "RemoveListenerCertificates"}
    ),
    # a session of moto's ends at once
    "logs": frozenset({"StartLiveTail"}),
    "rds": frozenset({"DescribeOptionGroups"}),
    "s3": _MISTAKEN,
    "ssm": frozenset({"GetPatchBaselineForPatchGroup"}),
    # a rotation is a Lambda function's work, a copy in another region one that nothing keeps alike
    "secretsmanager": frozenset({"RemoveRegionsFromReplication", "ReplicateSecretToRegions", "RotateSecret"}),
    # moto answers these with the same key for everybody, or with one that it asks no proof for
    "sts": frozenset({"AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "GetFederationToken", "GetSessionToken"}),
}
# changes to things that exist on paper only: no machine runs, no packet takes the way
_THINGS: Final = {
    "ec2": re.compile(
        r"CarrierGateway|ClassicLink|CustomerGateway|Fleet|Hosts|Image|LaunchTemplate|RunInstances|Snapshot|Spot"
        r"|TrafficMirror|TransitGateway|Volume|VpcEndpointService|VpcPeering|Vpn"
    ),
    "application-autoscaling": re.compile(r"ScheduledAction"),
    "cloudwatch": re.compile(r"InsightRule"),
    "ecs": re.compile(r"Attributes|CapacityProvider$|ContainerInstance|TaskSet"),
    "elasticache": re.compile(r"Snapshot|User"),
    "events": re.compile(r"ApiDestination|Archive|Connection|Endpoint|Partner|Replay"),
    "logs": re.compile(r"Delivery"),
    "rds": re.compile(
        r"BlueGreen|DBCluster(?!ParameterGroup)|DBProxy|DBSecurityGroup|DBShardGroup|ExportTask|GlobalCluster|OptionGroup"
        r"|ReadReplica|ToPointInTime"
    ),
    "sns": re.compile(r"Platform|Endpoint|PhoneNumber|SMS"),
    "ssm": re.compile(r"MaintenanceWindow|PatchBaseline|PatchGroup|SendCommand"),
}


def refuses(prefix: str, operation: str) -> bool:
    """Whether an operation, such as `sts` and `GetSessionToken`, is refused though moto would answer it."""
    if operation in _OPERATIONS.get(prefix, ()):
        return True
    thing = _THINGS.get(prefix)
    return thing is not None and thing.search(operation) is not None and mutating(prefix, operation)
