"""What is wrong with a value, in the words of the contract: what to send instead, with an example.

A validator's own phrases speak of models, tags and patterns, which a caller does not have. Here a sentence is made from
the kind of error and from the JSON schema of the place where it is.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from shared.api.examples import example_of

KNOWN_MAX = 40
"""How many known names a sentence lists."""
SHAPES_MAX = 5
_EXAMPLE_DEPTH_MAX = 4
_OWN = "value_error"
"""The type of an error that a rule of ours raises, in its own words."""
_OWN_MARK = "Value error, "
_MINOR_UNITS = "integer minor units"
_TIME, _DAY = "2026-11-20T18:03:00+01:00", "2026-11-20"

PATTERNS: Mapping[str, str] = {
    r"^[A-Z]{3}$": "must be three capital letters, such as USD",
    r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+$": "must be printable text",
    r"^[a-z0-9][a-z0-9_.-]{0,63}$": "must be 1 to 64 small letters, digits and _ . -, such as free-coffee",
    r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]+$": "must be text without control characters",
    r"^[A-Za-z]{2,3}([-_][A-Za-z]{4})?([-_]([A-Za-z]{2}|[0-9]{3}))?$": "must be a language, such as de or en-US",
    r"^\d\d-\d\d$": "must be a month and a day, such as 12-10",
    r"^([01]\d|2[0-3]):[0-5]\d$": "must be a time of day, such as 09:30",
    r"^[a-z0-9-]+(\.[a-z0-9-]+)+$": "must be a domain in small letters, such as example.com",
    r"^[a-z](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9_-]*[a-z0-9_])?)+$": (
        "must be a domain name from its end, such as com.example.loyalty"
    ),
    r"^[A-Z0-9_-]{2,16}$": "must be 2 to 16 capital letters, digits and _ -, such as TEA",
    r"^[A-Z]{2}$": "must be a country of two capital letters, such as US",
    r"^[a-z0-9][a-z0-9_.:-]{0,31}$": "must be 1 to 32 small letters, digits and _ . : -, such as vip",
    r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$": "must be a country or a part of one, such as US or US-CA",
    r"^[\x21-\x7e]+$": "must be an HTTPS address, such as https://shop.example/loyalty",
    r"""^https://[^\s\"'<>]+$""": "must be an HTTPS address, such as https://shop.example/mug.jpg",
    r"^[0-9]{4}-(0[1-9]|1[0-2])$": "must be a month, such as 2026-11",
}
"""What each pattern of the document asks for: nobody is shown a regular expression."""

Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Place:
    """A place in a shape, as the JSON schema `root` describes it: each of `alternatives` may be there."""

    root: Schema
    alternatives: tuple[Schema, ...]

    @classmethod
    def of(cls, schema: Schema) -> "Place":
        """The whole of what a schema describes."""
        return cls(schema, (schema,))

    def fitting(self, value: Any) -> "Place":  # noqa: ANN401 - whatever JSON holds
        """The alternatives that a value seems to be meant as: all of them, if it tells nothing."""
        shapes = tuple(_resolved(self.root, self.alternatives))
        if not isinstance(value, Mapping):
            return Place(self.root, shapes)
        possible = [one for one in shapes if not _contradicts(one, value)] or shapes
        given = [len(_asked(self.root, one) & value.keys()) for one in possible]
        return Place(self.root, tuple(one for one, count in zip(possible, given, strict=True) if count == max(given)))

    def at(self, step: str | int) -> "Place":
        """The place of a field, or of an item."""
        return Place(self.root, tuple(_inner(self.root, self.alternatives, step)))

    @property
    def names(self) -> list[str]:
        """The fields that may be here."""
        found = dict.fromkeys(name for one in self._objects() for name in one["properties"])
        return [*found]

    @property
    def shapes(self) -> list[str]:
        """What has to be given, of each of several shapes; nothing where there is one."""
        asked = ["{" + ", ".join(one.get("required", ())) + "}" for one in self._objects()]
        return asked if len(set(asked)) > 1 and len(asked) <= SHAPES_MAX else []

    def example(self) -> Any:  # noqa: ANN401
        """Something that may be here; None if nobody knows."""
        return next((one for one in (_example(self.root, each) for each in self.alternatives) if one is not None), None)

    def must_be(self) -> str:
        """What may be here, as a sentence without its subject."""
        shapes = [*_resolved(self.root, self.alternatives)]
        if shapes and all("const" in one or "enum" in one for one in shapes):
            options = dict.fromkeys(option for one in shapes for option in one.get("enum") or [one["const"]])
            return f"must be {'one of: ' * (len(options) > 1)}{', '.join(map(str, options))}"
        sentences = dict.fromkeys(_must_be(self.root, one) for one in shapes)
        return " or ".join([*sentences][:SHAPES_MAX]) or "is not what is expected here"

    def _objects(self) -> list[Schema]:
        return [one for one in _resolved(self.root, self.alternatives) if "properties" in one]


def in_words(error: Mapping[str, Any], steps: Sequence[str | int], whole: Place, value: Any) -> str:  # noqa: ANN401
    """What to do about a validator's error at `steps` of a `value` that `whole` describes."""
    kind = error["type"]
    if kind == _OWN:
        return str(error["msg"]).removeprefix(_OWN_MARK)
    every = parent = here = whole
    for step in steps:
        every, parent = here, here.fitting(value)
        here, value = parent.at(step), _of(value, step)
    if kind.startswith("union_tag"):
        options = every.at(steps[-1]).must_be()
        return options if kind == "union_tag_invalid" else options.replace("must be", "is missing: send")
    if kind == "missing":
        return _is_missing(here, parent, steps)
    if kind == "extra_forbidden":
        return _is_unknown(str(steps[-1]), parent, every)
    if kind in {"too_short", "too_long"} and (items := _length(error)):
        return items
    return here.must_be()


def open_choice(error: Mapping[str, Any], steps: Sequence[str | int], whole: Place, value: Any) -> str | None:  # noqa: ANN401
    """What to send, if a value has no field of the several shapes that it might be of; else None."""
    if error["type"] != "missing" or not steps:
        return None
    for step in steps[:-1]:
        whole, value = whole.fitting(value).at(step), _of(value, step)
    fitting = whole.fitting(value)
    is_begun = isinstance(value, Mapping) and any(name in value for name in fitting.names)
    return f"send one of {', '.join(fitting.shapes)}" if fitting.shapes and not is_begun else None


def unknown_name(what: str, name: str, known: Sequence[str]) -> str:
    """That nothing of a name is known, and which was probably meant."""
    by_letters = {one.replace("_", "").lower(): one for one in known}
    near = by_letters.get(re.sub(r"[-_ ]", "", name).lower()) or next(iter(get_close_matches(name, known, 1)), None)
    if near:
        return f"is not a known {what}; did you mean {near}?"
    listed = f"known are: {', '.join(sorted(known)[:KNOWN_MAX])}" if known else "this request takes none"
    return f"is not a known {what}; {listed}"


def shown(value: Any) -> str:  # noqa: ANN401
    """A value as it is to be sent."""
    return json.dumps(value, ensure_ascii=False)


def _is_missing(here: Place, parent: Place, steps: Sequence[str | int]) -> str:
    example = here.example()
    if not steps:
        sent = "" if example is None else f", such as {shown(example)}"
        return f"the body is missing: send a JSON object{sent}"
    if parent.shapes:
        return f"is missing: send one of {', '.join(parent.shapes)}"
    return "is missing" if example is None else f"is missing: send it, such as {shown(example)}"


def _is_unknown(name: str, parent: Place, every: Place) -> str:
    if name in parent.names and every.shapes:
        shapes = parent.shapes or every.shapes
        return f"does not go with the other fields: send one of {', '.join(shapes)}"
    if name in every.names:
        return f"does not belong here; known are: {', '.join(sorted(parent.names))}"
    return unknown_name("field", name, parent.names)


def _length(error: Mapping[str, Any]) -> str | None:
    limits = error.get("ctx", {})
    if "max_length" in limits:
        return f"may have at most {limits['max_length']} items"
    return f"must have at least {limits['min_length']}" if "min_length" in limits else None


def _must_be(root: Schema, one: Schema) -> str:
    """What a schema that is resolved asks for."""
    kind = one.get("type")
    if kind in {"integer", "number"}:
        return _must_be_number(one)
    if kind == "string":
        return _must_be_text(one)
    if kind == "boolean":
        return "must be true or false, without quotes"
    example = _example(root, one)
    such_as = "" if example is None else f", such as {shown(example)}"
    return f"must be a {'list' if kind == 'array' else 'JSON object'}{such_as}"


def _must_be_number(one: Schema) -> str:
    unit = " of minor units (4250 means 42.50)" if one.get("description") == _MINOR_UNITS else ""
    least = one["exclusiveMinimum"] + 1 if "exclusiveMinimum" in one else one.get("minimum")
    most = one.get("maximum")
    if least is not None and most is not None:
        return f"must be a whole number{unit} from {least} to {most}"
    bound = f", at least {least}" if least is not None else f", at most {most}" if most is not None else ""
    return f"must be a whole number{unit}{bound}"


def _must_be_text(one: Schema) -> str:
    if one.get("format") == "date-time":
        return f"must be an RFC 3339 time with its offset, such as {_TIME}"
    if one.get("format") == "date":
        return f"must be a day, such as {_DAY}"
    words = PATTERNS.get(one.get("pattern", ""), "must be text")
    if "such as" in words:
        return words
    least, most = one.get("minLength"), one.get("maxLength")
    length = "" if most is None else f" of {least} to {most} characters" if least else f" of at most {most} characters"
    examples = one.get("examples")
    return f"{words}{length}, such as {shown(examples[0])}" if examples else f"{words}{length}"


def _resolved(root: Schema, schemas: Sequence[Schema]) -> Iterator[Schema]:
    """The plain shapes among schemas: references followed, alternatives taken apart, what may be null without it."""
    for schema in schemas:
        if "$ref" in schema:
            rest = {name: value for name, value in schema.items() if name != "$ref"}
            for one in _resolved(root, [_referred(root, schema["$ref"])]):
                yield {**one, **rest}
        elif parts := schema.get("anyOf") or schema.get("oneOf"):
            about = {name: schema[name] for name in ("description", "examples") if name in schema}
            for one in _resolved(root, parts):
                if one.get("type") != "null":
                    yield {**about, **one}
        elif len(schema.get("allOf", ())) == 1:
            yield from _resolved(root, schema["allOf"])
        else:
            yield schema


def _referred(root: Schema, reference: str) -> Schema:
    found: Any = root
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    schema: Schema = found
    return schema


def _inner(root: Schema, schemas: Sequence[Schema], step: str | int) -> Iterator[Schema]:
    for one in _resolved(root, schemas):
        if isinstance(step, int):
            inner = one.get("items")
        else:
            inner = _property(one, step) if step in one.get("properties", {}) else one.get("additionalProperties")
        if isinstance(inner, Mapping):
            yield inner


def _property(shape: Schema, name: str) -> Schema:
    """The schema of a field, with the example that goes by its name."""
    schema: Schema = shape["properties"][name]
    example = None if "examples" in schema else example_of(name, schema)
    return schema if example is None else {**schema, "examples": [example]}


def _contradicts(shape: Schema, value: Mapping[str, Any]) -> bool:
    """Whether a value says by a constant that it is of another shape."""
    of_shape = shape.get("properties", {})
    return any("const" in of_shape.get(name, {}) and of_shape[name]["const"] != told for name, told in value.items())


def _asked(root: Schema, shape: Schema) -> set[str]:
    """The fields of a shape that have to be given, and do not only tell shapes apart."""
    names = shape.get("required", ())
    return {name for name in names if "const" not in next(_resolved(root, [shape["properties"][name]]), {})}


def _example(root: Schema, schema: Schema, depth: int = 0) -> Any:  # noqa: ANN401
    """Something that a schema describes: its own example, or one that is made of those of its parts."""
    own = (one["examples"][0] for one in [schema, *_resolved(root, [schema])] if one.get("examples"))
    return next(own, None) or _made_example(root, schema, depth)


def _made_example(root: Schema, schema: Schema, depth: int) -> Any:  # noqa: ANN401
    if depth > _EXAMPLE_DEPTH_MAX or (plain := next(_resolved(root, [schema]), None)) is None:
        return None
    if "const" in plain or "enum" in plain:
        return plain.get("const", plain.get("enum", [None])[0])
    if plain.get("format") in {"date", "date-time"}:
        return _DAY if plain["format"] == "date" else _TIME
    if plain.get("type") == "array":
        item = _example(root, plain.get("items", {}), depth + 1)
        return None if item is None else [item]
    if plain.get("type") == "object" and plain.get("required"):
        # What tells shapes apart comes first, and is no example by itself.
        names = sorted(plain["required"], key=lambda name: "const" not in plain["properties"][name])
        made = {name: _example(root, _property(plain, name), depth + 1) for name in names}
        return None if None in made.values() or "const" in plain["properties"][names[-1]] else made
    return None


def _of(value: Any, step: str | int) -> Any:  # noqa: ANN401
    try:
        return value[step]
    except (IndexError, KeyError, TypeError):
        return None
