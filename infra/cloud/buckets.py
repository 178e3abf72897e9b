"""Buckets that only the stack's own functions read and write, in which nothing stays for ever."""

from typing import cast

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.cloud.options import Options


def private_bucket(scope: Construct, name: str, options: Options, kept_days: int) -> s3.Bucket:
    """A bucket that nobody outside the account reads, whose objects are gone after so many days."""
    return s3.Bucket(
        scope,
        name,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        encryption=s3.BucketEncryption.S3_MANAGED,
        enforce_ssl=True,
        lifecycle_rules=[
            s3.LifecycleRule(
                expiration=Duration.days(kept_days), abort_incomplete_multipart_upload_after=Duration.days(1)
            )
        ],
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        removal_policy=RemovalPolicy.RETAIN if options.is_kept else RemovalPolicy.DESTROY,
    )


def plain(bucket: s3.Bucket) -> s3.CfnBucket:
    """The bucket as CloudFormation has it."""
    return cast("s3.CfnBucket", bucket.node.default_child)
