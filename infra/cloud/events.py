"""What other systems hear: the bus of domain events, an archive to replay them from, a schema for each."""

import json
from typing import Any

from aws_cdk import Duration, NestedStack, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_eventschemas as schemas
from constructs import Construct

from infra.cloud.options import Options
from shared.domain.telling.events import ALL_TYPES, LOW_FUNDS, Event, PartnerEvent

EVENT_SOURCE = "loyalty"
ARCHIVE_DAYS = {"dev": 7, "prod": 365}


def add_event_bus(scope: Construct, options: Options) -> events.EventBus:
    """The bus, its archive, and the schema registry."""
    name = Stack.of(scope).stack_name
    bus = events.EventBus(scope, "EventBus", event_bus_name=name)
    bus.archive(
        "Archive",
        archive_name=name,
        event_pattern=events.EventPattern(source=[EVENT_SOURCE]),
        retention=Duration.days(ARCHIVE_DAYS[options.stage]),
    )
    _add_schemas(NestedStack(scope, "EventSchemas"), f"{name}-events")
    return bus


def _add_schemas(scope: Construct, registry_name: str) -> None:
    """A stack of their own: one schema is one resource, and there are as many as events."""
    registry = schemas.CfnRegistry(
        scope, "Schemas", registry_name=registry_name, description="Domain events of the program"
    )
    for event_type in sorted((*ALL_TYPES, LOW_FUNDS)):
        schemas.CfnSchema(
            scope,
            f"Schema-{event_type}",
            registry_name=registry.attr_registry_name,
            schema_name=f"{EVENT_SOURCE}@{event_type}",
            type="JSONSchemaDraft4",
            content=json.dumps(event_schema(event_type)),
        )


def event_schema(event_type: str) -> dict[str, Any]:
    """The JSON Schema of an event as it is on the bus: EventBridge's envelope around ours."""
    return {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "title": event_type,
        "type": "object",
        "required": ["source", "detail-type", "detail"],
        "properties": {
            "source": {"type": "string", "enum": [EVENT_SOURCE]},
            "detail-type": {"type": "string", "enum": [event_type]},
            "detail": (PartnerEvent if event_type == LOW_FUNDS else Event).model_json_schema(),
        },
    }
