"""Records of the ledger's stream that kept failing: whole, until somebody has sent them again.

A queue of dead letters would hold no more than their place in the stream, which forgets them after a day.
"""

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.cloud.buckets import plain, private_bucket
from infra.cloud.options import Options

KEPT_DAYS = 30
"""The marker of an entry that was announced is kept for longer."""


def add_failed_records(scope: Construct, options: Options, notices: sqs.Queue) -> s3.Bucket:
    """A bucket that nobody outside the account reads; each new object is noted in the queue, where an alarm looks."""
    bucket = private_bucket(scope, "FailedRecords", options, KEPT_DAYS)
    notices.add_to_resource_policy(
        iam.PolicyStatement(
            sid="RecordsAreNoted",
            principals=[iam.ServicePrincipal("s3.amazonaws.com")],
            actions=["sqs:SendMessage"],
            resources=[notices.queue_arn],
            conditions={"StringEquals": {"aws:SourceAccount": Stack.of(scope).account}},
        )
    )
    # As the CDK has it, another function would be deployed to write these few lines.
    resource = plain(bucket)
    resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
        queue_configurations=[
            s3.CfnBucket.QueueConfigurationProperty(event="s3:ObjectCreated:*", queue=notices.queue_arn)
        ]
    )
    # S3 tries the queue's policy when the bucket is made.
    resource.node.add_dependency(notices.node.find_child("Policy"))
    return bucket
