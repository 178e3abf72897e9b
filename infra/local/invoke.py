"""Calling a function as Lambda does."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from infra.machine.environment import REGION

Handler = Callable[[dict[str, Any], Any], Any]

_SECONDS_MAX = 30


@dataclass(frozen=True)
class Context:
    """What a function may ask about its own call; the names are Lambda's."""

    function_name: str
    aws_request_id: str = field(default_factory=lambda: str(uuid4()))
    function_version: str = "$LATEST"
    memory_limit_in_mb: int = 512

    @property
    def invoked_function_arn(self) -> str:
        return f"arn:aws:lambda:{REGION}:000000000000:function:{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        return _SECONDS_MAX * 1000
