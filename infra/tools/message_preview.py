"""Every message of a program, written to a file instead of to anybody: what a shop reads before its members do."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from infra.errors import LocalError
from shared.domain.message_types import CHANNELS, KINDS, examples_of
from shared.domain.program.defaults import default_program
from shared.domain.program.program import Program
from shared.domain.telling.templates import rendered, sms_parts, template_faults, template_for


def write_messages(to: Path, program_file: Path | None, locale: str | None) -> int:
    """Write each kind by each channel as one line of JSON, with example values; how many those are.

    Raises LocalError for a program that cannot be read, or whose templates are at fault.
    """
    program = _program(program_file)
    faults = [f"{fault.pointer}: {fault.detail}" for fault in template_faults(program.messages)]
    if faults:
        raise LocalError("\n".join(["the templates are at fault", *faults]))
    lines = [json.dumps(message, ensure_ascii=False) for message in _messages(program, locale)]
    try:
        to.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    except OSError as error:
        raise LocalError(f"{to} cannot be written: {error.strerror}") from error
    return len(lines)


def _messages(program: Program, locale: str | None) -> Iterator[dict[str, Any]]:
    for kind, about in KINDS.items():
        if not program.messages.sends(kind):
            continue
        for channel in CHANNELS:
            template, is_own = template_for(program.messages, kind, channel, locale)
            values = examples_of(kind) | {"program_name": program.name, "currency": program.currency}
            if about.category == "service":
                values["unsubscribe_url"] = ""
            words = rendered(template, values | {"locale": template.locale})
            yield {
                "kind": kind,
                "category": about.category,
                "channel": channel,
                "locale": template.locale,
                "template": "program" if is_own else "built_in",
                **words._asdict(),
                "sms_parts": sms_parts(words.text) if channel == "sms" else None,
            }


def _program(path: Path | None) -> Program:
    if path is None:
        return default_program()
    try:
        return Program.model_validate_json(path.read_bytes(), extra="forbid")
    except OSError as error:
        raise LocalError(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise LocalError(f"{path} is not a program; `loyalty program check {path}` names every fault") from error
