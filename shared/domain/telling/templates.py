"""Templates into words: Jinja in a sandbox, without whatever could loop, grow or call.

What a template makes is counted, letter by letter, and has a bound: no template takes memory or time without end.
Templates are checked when a program is stored and tried on examples, so that what fails, fails before anybody is to
be told anything.
"""

from collections.abc import Iterator, Mapping, Sequence, Sized
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.domain.errors import Fault
from shared.domain.message_types import Channel, Kind, Value, examples_of, variables_of
from shared.domain.program.built_in_templates import DEFAULT_LOCALE, default_template
from shared.domain.program.messages import Messages, Template

if TYPE_CHECKING:
    from jinja2 import Template as Compiled
    from jinja2.nodes import Node
    from jinja2.nodes import Template as TemplateTree
    from jinja2.runtime import Context
    from jinja2.sandbox import ImmutableSandboxedEnvironment

FILTERS = ("capitalize", "default", "e", "escape", "first", "join", "last", "length", "lower", "title", "trim", "upper")
_REFUSED = (
    "Assign", "AssignBlock", "Block", "Call", "CallBlock", "Concat", "Extends", "FilterBlock", "FromImport", "Import",
    "Include", "Macro", "Mod", "Mul", "Pow", "With",
)  # fmt: skip
LETTERS_MAX = 250_000
"""Of all that one rendering makes, on its way too: five times what the longest template may have of its own."""
_TOO_DEEP = (RecursionError, SyntaxError, MemoryError)
"""What parsers, Jinja's and Python's, raise where a template nests too deeply for them."""
_LETTERS = " letters"
"""No name that a template can say."""
# GSM 03.38: what a text message holds 160 of; those of the extension count twice.
_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENSION = frozenset("^{}\\[~]|€\f")
_GSM_WHOLE, _GSM_PART, _UNICODE_WHOLE, _UNICODE_PART = 160, 153, 70, 67


class RenderingError(Exception):
    """A template could not be rendered on these values."""


class _Letters:
    """How many letters a rendering may still make."""

    def __init__(self) -> None:
        self._left = LETTERS_MAX

    def take(self, count: int) -> None:
        """Raises RenderingError for more than is left."""
        self._left -= count
        if self._left < 0:
            raise RenderingError(f"cannot be rendered: it makes more than {LETTERS_MAX} letters")


class Words(NamedTuple):
    """What a template became. A text message has a text alone."""

    subject: str
    text: str
    html: str | None


def template_for(messages: Messages, kind: Kind, channel: Channel, locale: str | None) -> tuple[Template, bool]:
    """The template in the nearest language, and whether it is the program's own.

    de-AT, then de, then the program's language, then English; in each the program's own before the built-in one.
    """
    own = {one.locale: one for one in messages.templates if (one.kind, one.channel) == (kind, channel)}
    for wanted in _languages(locale, messages.locale, DEFAULT_LOCALE):
        if wanted in own:
            return own[wanted], True
        built_in = default_template(kind, channel, wanted)
        if built_in is not None:
            return built_in, False
    raise AssertionError(f"{kind} has no English template")


def rendered(template: Template, values: Mapping[str, Value]) -> Words:
    """A template's words. Raises RenderingError if it does not take the values."""
    subject = _text(template.subject, values) if template.subject else ""
    return Words(
        subject=" ".join(subject.split()),
        text=_text(template.text, values).strip(),
        html=_text(template.html, values, as_html=True) if template.html else None,
    )


def template_faults(messages: Messages) -> list[Fault]:
    """What is wrong with the program's templates, each with its place."""
    return [
        fault
        for number, template in enumerate(messages.templates)
        for fault in faults_of(template, f"/messages/templates/{number}", messages.sms_parts_max)
    ]


def faults_of(template: Template, place: str, sms_parts_max: int) -> list[Fault]:
    """What is wrong with a template: its notation, names that it may not use, a text message that is too long."""
    known = {variable.name for variable in variables_of(template.kind)}
    parts = {"subject": template.subject, "text": template.text, "html": template.html}
    faults = [
        Fault(f"{place}/{name}", what) for name, source in parts.items() if source for what in _flaws(source, known)
    ]
    if faults:
        return faults
    for sparse in (False, True):
        try:
            words = rendered(template, examples_of(template.kind, sparse=sparse))
        except RenderingError as error:
            return [Fault(f"{place}/text", str(error))]
        parts_needed = sms_parts(words.text)
        if template.channel == "sms" and parts_needed > sms_parts_max:
            detail = f"with example values it takes {parts_needed} text messages; sms_parts_max is {sms_parts_max}"
            return [Fault(f"{place}/text", detail)]
        if template.channel == "email" and not words.subject:
            return [Fault(f"{place}/subject", "is empty with example values")]
    return []


def sms_parts(text: str) -> int:
    """How many text messages carry a text: 160 letters in one, 153 in each of several; 70 and 67 beyond GSM 03.38."""
    if all(letter in _GSM or letter in _GSM_EXTENSION for letter in text):
        length, whole, part = len(text) + sum(letter in _GSM_EXTENSION for letter in text), _GSM_WHOLE, _GSM_PART
    else:
        length, whole, part = len(text.encode("utf-16-le")) // 2, _UNICODE_WHOLE, _UNICODE_PART
    return 1 if length <= whole else -(-length // part)


def _languages(*locales: str | None) -> Iterator[str]:
    for locale in locales:
        parts = locale.split("-") if locale else []
        for length in range(len(parts), 0, -1):
            yield "-".join(parts[:length])


def _flaws(source: str, known: set[str]) -> Iterator[str]:
    from jinja2 import TemplateError, TemplateSyntaxError, meta, nodes  # noqa: PLC0415 - a cold start does without

    environment = _environment(as_html=False)
    try:
        tree = environment.parse(source)
        if refused := list(_refused(tree)):
            # What follows works out constants, however large.
            yield from refused
            return
        environment.compile(source)
    except TemplateSyntaxError as error:
        yield f"line {error.lineno}: {error.message}"
        return
    except TemplateError as error:
        yield str(error)
        return
    except _TOO_DEEP:
        yield "it nests too deeply"
        return
    except ValueError as error:
        yield str(error)
        return
    lines = {node.name: node.lineno for node in reversed(list(tree.find_all(nodes.Name)))}
    for unknown in sorted(meta.find_undeclared_variables(tree) - known):
        yield f"line {lines.get(unknown, 1)}: there is no variable {unknown!r}; there are {', '.join(sorted(known))}"


def _refused(tree: "TemplateTree") -> Iterator[str]:
    from jinja2 import nodes  # noqa: PLC0415

    for node in tree.find_all(nodes.Node):
        name = type(node).__name__
        if name in _REFUSED:
            yield f"line {node.lineno}: {_refusal(name)}"
        if isinstance(node, nodes.For) and any(inner is not node for inner in node.find_all(nodes.For)):
            yield f"line {node.lineno}: a loop inside a loop is not allowed"
        if isinstance(node, nodes.For) and not _is_of_variable(node.iter):
            yield f"line {node.lineno}: a loop goes over a variable, or a part of one"


def _is_of_variable(node: "Node") -> bool:
    from jinja2 import nodes  # noqa: PLC0415

    while isinstance(node, nodes.Getattr | nodes.Getitem):
        node = node.node
    return isinstance(node, nodes.Name)


def _refusal(node: str) -> str:
    what = {"Call": "calls", "Mul": "*", "Pow": "**", "Mod": "%", "Concat": "~", "Assign": "set", "AssignBlock": "set"}
    return f"{what.get(node, node.lower().removesuffix('block'))} may not be used in a template"


def _text(source: str, values: Mapping[str, Value], *, as_html: bool = False) -> str:
    from jinja2 import TemplateError  # noqa: PLC0415

    letters, parts = _Letters(), []
    try:
        for part in _compiled(source, as_html).generate({**values, _LETTERS: letters}):
            letters.take(len(part))
            parts.append(part)
        return "".join(parts)
    except (TemplateError, *_TOO_DEEP, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise RenderingError(f"cannot be rendered: {error}") from error


@cache
def _compiled(source: str, as_html: bool) -> "Compiled":
    return _environment(as_html=as_html).from_string(source)


@cache
def _environment(*, as_html: bool) -> "ImmutableSandboxedEnvironment":
    from jinja2 import StrictUndefined, pass_context  # noqa: PLC0415
    from jinja2.filters import do_join  # noqa: PLC0415
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415

    class Sandbox(ImmutableSandboxedEnvironment):
        intercepted_binops = frozenset({"+"})

        def call_binop(self, context: "Context", operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401 - Jinja's
            if isinstance(left, Sized) and isinstance(right, Sized):
                context[_LETTERS].take(len(left) + len(right))
            return super().call_binop(context, operator, left, right)

    @pass_context
    def joined(context: "Context", values: Any, separator: str = "", attribute: str | None = None) -> Any:  # noqa: ANN401
        items = list(values)
        context[_LETTERS].take(sum(len(str(item)) for item in items) + len(str(separator)) * max(0, len(items) - 1))
        return do_join(context.eval_ctx, items, separator, attribute)

    made = Sandbox(undefined=StrictUndefined, autoescape=as_html)
    made.globals.clear()
    made.filters = {name: made.filters[name] for name in FILTERS}
    made.filters["join"] = joined
    made.filters["counted"] = _counted
    made.filters["day"] = pass_context(lambda context, value: _day(value, context["locale"]))
    made.filters["money"] = pass_context(lambda context, value: _money(value, context["currency"], context["locale"]))
    return made


def _counted(number: int, one: str, many: str) -> str:
    """`{{ points | counted("point", "points") }}`: 1 point, 2 points."""
    return f"{number} {one if number == 1 else many}"


def _day(value: str, locale: str) -> str:
    """A day as it is written in a language: 30.11.2027 in German, 2027-11-30 where nothing else is known."""
    year, month, day = value.split("-")
    return f"{day}.{month}.{year}" if locale.startswith("de") else value


def _money(amount: int, currency: str, locale: str) -> str:
    """Minor units as an amount: 12.50 EUR, in German 12,50 EUR."""
    from iso4217 import Currency as Iso4217  # noqa: PLC0415 - parses its tables; few messages need it

    exponent = Iso4217(currency).exponent or 0
    major, minor = divmod(amount, 10**exponent)
    mark = "," if locale.startswith("de") else "."
    return f"{major}{mark}{minor:0{exponent}} {currency}" if exponent else f"{major} {currency}"


def documented(kind: Kind) -> Sequence[Mapping[str, Any]]:
    """The variables of a kind, as they are shown to who writes templates."""
    return [{"name": one.name, "meaning": one.meaning, "example": one.example} for one in variables_of(kind)]
