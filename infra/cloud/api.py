"""The HTTP API: routes and scopes as the OpenAPI document has them, each throttled, every call in the access log."""

import json
from collections.abc import Iterable
from typing import cast

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra import openapi
from infra.cloud.functions import LOG_RETENTION, Function
from infra.cloud.identity import Identity
from infra.cloud.options import Options
from shared import telemetry

BURST_SECONDS = 2
"""Requests that come at once: those of so many seconds. One path under load leaves room for the others; the account's
own limit is ten thousand a second for everything.
"""
SELDOM_REQUESTS_PER_SECOND, SELDOM_BURST = 5, 10
SELDOM_ROUTES = frozenset({"PUT /v1/program", "GET /v1/members/{member_id}/export"})
"""Heavy, and called by hand."""
ANYBODYS_REQUESTS_PER_SECOND, ANYBODYS_BURST = 50, 100
"""Of each route that asks for no token, and of all that no route takes."""
PREFLIGHT_HOURS = 1
TOO_MANY_REQUESTS = "TooManyRequests"
"""Counted from the access log: API Gateway's own metrics do not tell a 429 from any other 4xx."""
_ACCESS_LOG = {
    # Neither addresses nor query strings: they are personal, or may be.
    "requestId": "$context.requestId",
    "requestTime": "$context.requestTime",
    "routeKey": "$context.routeKey",
    "clientId": "$context.authorizer.claims.client_id",
    "status": "$context.status",
    "responseLength": "$context.responseLength",
    "responseLatencyMs": "$context.responseLatency",
    "integrationLatencyMs": "$context.integrationLatency",
    "integrationError": "$context.integrationErrorMessage",
    "authorizerError": "$context.authorizer.error",
}


def make_api(scope: Construct, options: Options) -> apigateway.HttpApi:
    """The API without a route: functions that it will call may be told its address."""
    return apigateway.HttpApi(
        scope,
        "Api",
        api_name=Stack.of(scope).stack_name,
        cors_preflight=_cors(options) if options.allowed_origins else None,
        create_default_stage=False,
        disable_execute_api_endpoint=options.domain is not None,
        description="Loyalty Functions",
    )


def public_url(api: apigateway.HttpApi, options: Options) -> str:
    """The address by which callers, and members who follow a link, reach the API."""
    return f"https://{options.domain}" if options.domain else api.api_endpoint


def add_routes(
    scope: Construct,
    api: apigateway.HttpApi,
    functions: dict[str, Function],
    document: Function,
    identity: Identity,
    options: Options,
) -> None:
    """Every route of the document, the document itself, and an answer for whatever is neither."""
    entrances = {
        # One permission for all routes of a function: a stack may have five hundred resources, and each route is one.
        name: integrations.HttpLambdaIntegration(f"{name}-integration", one.entrance, scope_permission_to_route=False)
        for name, one in functions.items()
    }
    of_document = integrations.HttpLambdaIntegration(
        "document-integration", document.entrance, scope_permission_to_route=False
    )
    authorizer = authorizers.HttpJwtAuthorizer(
        "Tokens", identity.issuer, jwt_audience=identity.audiences, identity_source=["$request.header.Authorization"]
    )
    routes: list[apigateway.HttpRoute] = []
    for route in (*openapi.routes(), *openapi.page_routes()):
        routes += api.add_routes(
            path=route.path,
            methods=[apigateway.HttpMethod(route.method)],
            integration=entrances[route.function],
            authorizer=authorizer if route.scopes else None,
            authorization_scopes=sorted(route.scopes) or None,
        )
    routes += api.add_routes(
        path=openapi.DOCUMENT_PATH,
        methods=[apigateway.HttpMethod.GET],
        integration=of_document,
    )
    apigateway.HttpRoute(
        scope,
        "NotFound",
        http_api=api,
        integration=of_document,
        route_key=apigateway.HttpRouteKey.DEFAULT,
    )
    _add_stage(scope, api, routes, options)


def _add_stage(
    scope: Construct, api: apigateway.HttpApi, routes: Iterable[apigateway.HttpRoute], options: Options
) -> None:
    stage = apigateway.HttpStage(
        scope,
        "Stage",
        http_api=api,
        auto_deploy=True,
        # Metrics of each route are billed like our own: six for each of over thirty. The access log has them all.
        detailed_metrics_enabled=False,
        # For what has no limits of its own, and that is what no route takes.
        throttle=apigateway.ThrottleSettings(rate_limit=ANYBODYS_REQUESTS_PER_SECOND, burst_limit=ANYBODYS_BURST),
    )
    log = logs.LogGroup(
        scope,
        "AccessLog",
        # Under this prefix API Gateway needs no resource policy, of which an account has few.
        log_group_name=f"/aws/vendedlogs/{Stack.of(scope).stack_name}-access",
        retention=LOG_RETENTION[options.stage],
        removal_policy=RemovalPolicy.DESTROY,
    )
    resource = cast("apigateway.CfnStage", stage.node.default_child)
    resource.access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
        destination_arn=log.log_group_arn, format=json.dumps({"service": Stack.of(scope).stack_name, **_ACCESS_LOG})
    )
    logs.MetricFilter(
        scope,
        TOO_MANY_REQUESTS,
        log_group=log,
        filter_pattern=logs.FilterPattern.string_value("$.status", "=", "429"),
        metric_namespace=telemetry.NAMESPACE,
        metric_name=TOO_MANY_REQUESTS,
        metric_value="1",
        dimensions={"service": "$.service"},
    )
    limits = {}
    for route in routes:
        resource_of_route = cast("apigateway.CfnRoute", route.node.default_child)
        key = resource_of_route.route_key
        limits[key] = _limits(key, options, asks_token=resource_of_route.authorizer_id is not None)
        stage.node.add_dependency(route)
    resource.route_settings = limits
    if options.domain and options.certificate_arn:
        _add_domain(scope, api, stage, options.domain, options.certificate_arn)


def _add_domain(
    scope: Construct, api: apigateway.HttpApi, stage: apigateway.HttpStage, name: str, certificate_arn: str
) -> None:
    certificate = acm.Certificate.from_certificate_arn(scope, "Certificate", certificate_arn)
    domain = apigateway.DomainName(scope, "DomainName", domain_name=name, certificate=certificate)
    apigateway.ApiMapping(scope, "Mapping", api=api, domain_name=domain, stage=stage)
    # Where the name is to lead in the DNS.
    CfnOutput(scope, "DomainTarget", value=domain.regional_domain_name)


def _limits(route_key: str, options: Options, *, asks_token: bool) -> dict[str, int]:
    rate = options.route_requests_per_second
    burst = BURST_SECONDS * rate
    if not asks_token:
        rate, burst = ANYBODYS_REQUESTS_PER_SECOND, ANYBODYS_BURST
    elif route_key in SELDOM_ROUTES:
        rate, burst = SELDOM_REQUESTS_PER_SECOND, SELDOM_BURST
    return {"ThrottlingRateLimit": rate, "ThrottlingBurstLimit": burst}


def _cors(options: Options) -> apigateway.CorsPreflightOptions:
    return apigateway.CorsPreflightOptions(
        allow_origins=list(options.allowed_origins),
        allow_methods=[apigateway.CorsHttpMethod(method) for method in sorted({r.method for r in openapi.routes()})],
        allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "If-Match"],
        expose_headers=["ETag", "Idempotency-Replayed", "Request-Id", "Retry-After"],
        max_age=Duration.hours(PREFLIGHT_HOURS),
    )
