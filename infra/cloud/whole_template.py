"""A stack and the stacks inside it as one template, for whoever reads or makes all of it at once."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.cloud.stack_resources import STACK_TYPE


def whole_template(assembly: Path, stack: str) -> dict[str, Any]:
    """The stack's template, with the resources of stacks inside it in their places.

    What the outer stack hands to an inner one as a parameter is put where the inner one asks for it. Raises KeyError
    for an inner stack that hands something out: none does.
    """
    template: dict[str, Any] = json.loads((assembly / f"{stack}.template.json").read_text())
    files = json.loads((assembly / f"{stack}.assets.json").read_text())["files"]
    resources = template["Resources"]
    for name in [name for name, one in resources.items() if one["Type"] == STACK_TYPE]:
        properties = resources.pop(name)["Properties"]
        address = json.dumps(properties["TemplateURL"])
        [source] = [one["source"]["path"] for hash_, one in files.items() if hash_ in address]
        inner = json.loads((assembly / source).read_text())
        if "Outputs" in inner:
            raise KeyError(f"{name} hands out {', '.join(inner['Outputs'])}")
        resources |= _given(inner["Resources"], properties.get("Parameters", {}))
    return template


def _given(part: Any, parameters: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """A part of a template, with what its parameters are given."""
    if isinstance(part, list):
        return [_given(one, parameters) for one in part]
    if not isinstance(part, dict):
        return part
    if set(part) == {"Ref"} and part["Ref"] in parameters:
        return parameters[part["Ref"]]
    return {name: _given(one, parameters) for name, one in part.items()}
