"""DynamoDB's expressions, as far as the product uses them: parsed once for each distinct text, refused if unknown."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from operator import eq, ge, gt, le, lt, ne
from typing import Any

Item = Mapping[str, Any]
Values = Mapping[str, Any]
Condition = Callable[[Item, Values], bool]
Change = Callable[[dict[str, Any], Values], None]

_TOKEN = re.compile(r"\s*(<=|>=|<>|[=<>(),+-]|[:#]?[A-Za-z_][A-Za-z0-9_]*)")
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {"=": eq, "<>": ne, "<": lt, "<=": le, ">": gt, ">=": ge}
_CLAUSES = ("SET", "ADD", "REMOVE")


class UnknownExpressionError(AssertionError):
    """The product has asked for something that the simulated database does not know."""


def plain(attribute: Mapping[str, Any]) -> Any:  # noqa: ANN401 - strings, numbers or truth values
    """An attribute's value as Python has it."""
    [(kind, value)] = attribute.items()
    if kind == "N":
        return int(value) if value.lstrip("-").isdigit() else Decimal(value)
    if kind in {"S", "BOOL"}:
        return value
    raise UnknownExpressionError(f"attributes of the type {kind} are not simulated")


def condition(text: str, names: Mapping[str, str] | None = None) -> Condition:
    """What tells whether an item (empty: none) meets a condition."""
    return _condition(text, tuple(sorted((names or {}).items())))


def update(text: str, names: Mapping[str, str] | None = None) -> Change:
    """What changes an item in place."""
    return _update(text, tuple(sorted((names or {}).items())))


@cache
def _condition(text: str, names: tuple[tuple[str, str], ...]) -> Condition:
    tokens = _Tokens(text, dict(names))
    parsed = tokens.any_of()
    tokens.require_end()
    return parsed


@cache
def _update(text: str, names: tuple[tuple[str, str], ...]) -> Change:
    tokens = _Tokens(text, dict(names))
    changes: list[Change] = []
    while (clause := tokens.next()) is not None:
        if clause not in _CLAUSES:
            raise UnknownExpressionError(f"{clause!r} in {text!r}")
        changes.append(tokens.change(clause))
        while tokens.peek() == ",":
            tokens.next()
            changes.append(tokens.change(clause))

    def apply(item: dict[str, Any], values: Values) -> None:
        for change in changes:
            change(item, values)

    return apply


class _Tokens:
    """An expression's tokens, read from left to right."""

    def __init__(self, text: str, names: Mapping[str, str]) -> None:
        self._text, self._names = text, names
        self._tokens: Sequence[str] = _TOKEN.findall(text)
        self._place = 0
        if "".join(self._tokens) != re.sub(r"\s", "", text):
            raise UnknownExpressionError(text)

    def peek(self) -> str | None:
        return self._tokens[self._place] if self._place < len(self._tokens) else None

    def next(self) -> str | None:
        token = self.peek()
        self._place += 1
        return token

    def require_end(self) -> None:
        if self.peek() is not None:
            raise UnknownExpressionError(f"{self.peek()!r} in {self._text!r}")

    def any_of(self) -> Condition:
        return self._chain("OR", self._all_of, any)

    def change(self, clause: str) -> Change:
        name = self._name()
        if clause == "REMOVE":
            return lambda item, _: item.pop(name, None)
        if clause == "SET":
            self._expect("=")
        value = self._value()
        return _set(name, value) if clause == "SET" else _add(name, value)

    def _all_of(self) -> Condition:
        return self._chain("AND", self._one, all)

    def _chain(self, word: str, part_of: Callable[[], Condition], holds: Callable[[Iterable[bool]], bool]) -> Condition:
        parts = [part_of()]
        while self.peek() == word:
            self.next()
            parts.append(part_of())
        return parts[0] if len(parts) == 1 else lambda item, values: holds(part(item, values) for part in parts)

    def _one(self) -> Condition:
        token = self.peek()
        if token == "(":  # noqa: S105 - no secret
            self.next()
            inner = self.any_of()
            self._expect(")")
            return inner
        if token == "NOT":  # noqa: S105
            self.next()
            inner = self._one()
            return lambda item, values: not inner(item, values)
        if token in {"attribute_exists", "attribute_not_exists", "begins_with"}:
            return self._function()
        name, operator = self._name(), self.next()
        if operator is None or operator not in _COMPARE:
            raise UnknownExpressionError(f"{operator!r} in {self._text!r}")
        return _comparison(name, _COMPARE[operator], self._value())

    def _function(self) -> Condition:
        function = self.next()
        self._expect("(")
        name = self._name()
        if function == "begins_with":
            self._expect(",")
            value = self._value()
            self._expect(")")
            return lambda item, values: name in item and item[name]["S"].startswith(values[value]["S"])
        self._expect(")")
        wanted = function == "attribute_exists"
        return lambda item, _: (name in item) is wanted

    def _name(self) -> str:
        token = self.next()
        if token is None or not (token[0] == "#" or token[0].isalpha() or token[0] == "_"):
            raise UnknownExpressionError(f"{token!r} in {self._text!r}")
        return self._names[token] if token[0] == "#" else token

    def _value(self) -> str:
        token = self.next()
        if token is None or token[0] != ":":
            raise UnknownExpressionError(f"{token!r} in {self._text!r}")
        return token

    def _expect(self, wanted: str) -> None:
        if (token := self.next()) != wanted:
            raise UnknownExpressionError(f"{token!r} where {wanted!r} belongs in {self._text!r}")


def _comparison(name: str, compare: Callable[[Any, Any], bool], value: str) -> Condition:
    def holds(item: Item, values: Values) -> bool:
        attribute, wanted = item.get(name), values[value]
        # DynamoDB compares nothing with nothing, and no string with a number.
        return attribute is not None and attribute.keys() == wanted.keys() and compare(plain(attribute), plain(wanted))

    return holds


def _set(name: str, value: str) -> Change:
    def change(item: dict[str, Any], values: Values) -> None:
        item[name] = values[value]

    return change


def _add(name: str, value: str) -> Change:
    def change(item: dict[str, Any], values: Values) -> None:
        item[name] = {"N": str(plain(item.get(name, {"N": "0"})) + plain(values[value]))}

    return change
