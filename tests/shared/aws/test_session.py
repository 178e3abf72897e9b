"""Where clients of AWS's services send their requests."""

import boto3
import pytest
from botocore.endpoint_provider import EndpointProvider
from botocore.loaders import Loader

from shared.aws import session as aws
from tests.test_architecture import SERVICES


@pytest.mark.parametrize("service", sorted(set().union(*SERVICES.values())))
def test_a_client_goes_to_the_address_that_the_services_rules_of_endpoints_name(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Loader()
    rules = EndpointProvider(known.load_service_model(service, "endpoint-rule-set-1"), known.load_data("partitions"))
    session = boto3.Session()
    regions = {
        one for part in session.get_available_partitions() for one in session.get_available_regions(service, part)
    }
    assert len(regions) > 20
    for region in sorted(regions):
        monkeypatch.setenv("AWS_DEFAULT_REGION", region)
        monkeypatch.setenv("AWS_REGION", region)
        ruled = rules.resolve_endpoint(Region=region, UseDualStack=False, UseFIPS=False).url
        assert aws.client(service).meta.endpoint_url == ruled


def test_an_address_in_the_environment_goes_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    assert aws.client("dynamodb").meta.endpoint_url == "http://127.0.0.1:4566"
