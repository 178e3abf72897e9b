"""The bodies of requests: JSON objects, and where a path takes them the fields of HTML forms."""

import base64
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from shared.api.answers import JSON_TYPE
from shared.domain.errors import (
    BodyTooLargeError,
    Fault,
    InvalidRequestError,
    MalformedJsonError,
    UnsupportedMediaTypeError,
)

BODY_BYTES_MAX = 256 * 1024
FORM_BYTES_MAX = 4 * 1024
"""A form is a field and what a mail program adds: whoever sends one needs no token, so little of it is read. As little
is read of anything else that comes without a token."""
PARTS_MAX = 16
MULTIPART_TYPE = "multipart/form-data"
FORM_TYPES = frozenset({"application/x-www-form-urlencoded", MULTIPART_TYPE})
_BOUNDARY = re.compile(r'boundary="?([^";,\s]{1,70})', re.IGNORECASE)
"""RFC 2046 gives it at most 70 characters."""
_JSON_IN_WORDS: Mapping[str, str] = {
    "Expecting value": "a value belongs",
    "Expecting ',' delimiter": "a comma or a closing bracket belongs",
    "Expecting ':' delimiter": "a colon belongs after the name",
    "Expecting property name enclosed in double quotes": "a name in double quotes belongs: JSON has neither comments "
    "nor a comma after the last field",
    "Illegal trailing comma before end of object": "a comma follows the last field",
    "Illegal trailing comma before end of array": "a comma follows the last item",
    "Extra data": "the object has ended already",
    "Unterminated string starting at": "a text begins that has no closing quote",
    "Invalid control character at": "a line break or another control character is in a text: write it as \\n",
    "Invalid \\escape": "a backslash is followed by no letter that JSON knows: write it as \\\\",
    "Invalid \\uXXXX escape": "four hexadecimal digits belong after \\u",
}
"""What Python's parser finds, by its phrase."""
_NAME = re.compile(r'\bname="?([^";\n]{1,100})', re.IGNORECASE)


def with_readable_body(event: Mapping[str, Any], bytes_max: int = BODY_BYTES_MAX) -> Mapping[str, Any]:
    """An event whose body is text. Raises a refusal of a body that is too long, no UTF-8 or not declared as JSON."""
    text = _text(event, bytes_max)
    if text and media_type(event) != JSON_TYPE:
        raise UnsupportedMediaTypeError(f"send the body as Content-Type: {JSON_TYPE}")
    return _as_json(event, text)


def with_form_as_json(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """An event whose form, if it brings one, is JSON. Mail programs may send either kind (RFC 8058).

    Raises BodyTooLargeError for a body of any type that is longer than a form.
    """
    kind = media_type(event)
    text = _text(event, FORM_BYTES_MAX)
    if not text or kind not in FORM_TYPES:
        return event
    fields = _parts(_content_type(event), text) if kind == MULTIPART_TYPE else dict(parse_qsl(text))
    return _as_json(event, json.dumps(fields))


def json_object(text: str) -> Any:  # noqa: ANN401 - its fields are validated later
    """The object that a body holds. Raises MalformedJsonError, or InvalidRequestError for JSON of another kind."""
    try:
        value = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    except json.JSONDecodeError as error:
        words = _JSON_IN_WORDS.get(error.msg, "something else belongs there")
        detail = f"the body is not JSON: at line {error.lineno}, column {error.colno}, {words}"
        raise MalformedJsonError(detail) from error
    except (ValueError, RecursionError) as error:
        raise MalformedJsonError(f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise InvalidRequestError(Fault("", 'the body must be a JSON object, such as {"name": "value"}'))
    return value


def _content_type(event: Mapping[str, Any]) -> str:
    return str((event.get("headers") or {}).get("content-type", ""))


def media_type(event: Mapping[str, Any]) -> str:
    """The type that a body is declared as, without its parameters."""
    return _content_type(event).partition(";")[0].strip().lower()


def _as_json(event: Mapping[str, Any], text: str | None) -> Mapping[str, Any]:
    headers = {**(event.get("headers") or {}), "content-type": JSON_TYPE}
    return {**event, "headers": headers, "isBase64Encoded": False, "body": text}


def _text(event: Mapping[str, Any], bytes_max: int = BODY_BYTES_MAX) -> str | None:
    """A body's text, without the mark that some editors put before it; None if there is nothing else."""
    body = event.get("body")
    if not body:
        return None
    too_large = BodyTooLargeError(f"a body has at most {bytes_max} bytes")
    # Before anything is decoded: base64 has four letters for three bytes.
    if len(body) > (-(-bytes_max // 3) * 4 if event.get("isBase64Encoded") else bytes_max):
        raise too_large
    try:
        data = base64.b64decode(body) if event.get("isBase64Encoded") else str(body).encode()
        text = data.decode("utf-8-sig")
    except ValueError as error:
        raise MalformedJsonError("the body is not UTF-8: send it in that encoding") from error
    if len(data) > bytes_max:
        raise too_large
    return text or None


def _parts(content_type: str, text: str) -> dict[str, str]:
    """The fields of a form in parts, by plain search: a parser of mail takes parts within parts, for as long as it
    likes.
    """
    boundary = _BOUNDARY.search(content_type)
    if boundary is None:
        return {}
    fields = {}
    for part in text.replace("\r\n", "\n").split(f"--{boundary[1]}")[1 : PARTS_MAX + 1]:
        head, _, value = part.partition("\n\n")
        if name := _NAME.search(head):
            fields[name[1]] = value.strip()
    return fields


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object's fields. Of two of a name nobody can tell which was meant."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("an object has the same name twice")
    return fields
