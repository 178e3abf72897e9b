"""Whatever is sent, the answer is the contract's refusal and nothing is written."""

import base64
import copy
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.api import bodies, problems
from tests.functions.shop import OPERATOR, STOREFRONT, Reply, Shop, assert_refused

REFUSALS = {
    400: {"idempotency_key_required", "malformed_json"},
    404: {"member_not_found", "reward_not_found", "redemption_not_found", "order_not_found", "route_not_found"},
    409: {
        "identifier_taken",
        "insufficient_points",
        "invalid_state",
        "not_offered",
        "reward_unavailable",
        "refund_exceeds_order",
        "member_not_active",
        "member_merged",
        "order_belongs_to_another_member",
    },
    412: {"program_changed"},
    413: {"body_too_large"},
    415: {"unsupported_media_type"},
    422: {"invalid_request", "idempotency_mismatch", "in_the_future", "too_late"},
}
TIME = "2026-11-20T18:03:00Z"
ORDER = {"type": "order", "order_id": "A-9", "placed_at": TIME, "currency": "USD", "total": 1000}
LINE = {"sku": "TEA", "category": "tea", "quantity": 2, "amount": 1000}
MONEY = {"points": 50, "order_total": 1000, "currency": "USD"}


class Request(NamedTuple):
    """A request that would be carried out, and what kind of value each place of its body takes."""

    method: str
    path: str
    body: dict[str, Any]
    kinds: dict[str, str]
    scope: str = STOREFRONT


REQUESTS = {
    "enroll": Request(
        "POST",
        "/v1/members",
        {"external_id": "new", "consent": {"terms_version": "1", "marketing": {"email": True}}, "name": "Ada"},
        {
            "external_id": "id?",
            "email": "contact?",
            "phone": "contact?",
            "card_number": "id?",
            "name": "text?",
            "birthday": "text?",
            "locale": "text?",
            "channel": "id?",
            "referral_code": "id?",
            "consent": "object",
            "consent/terms_version": "id?",
            "consent/marketing": "object",
            "consent/marketing/email": "flag",
            "message_preferences": "object",
        },
    ),
    "lookup": Request("POST", "/v1/members/lookup", {"email": "new@example.com"}, {"email": "contact?"}),
    "change": Request(
        "PATCH",
        "/v1/members/{ada}",
        {"name": "Countess"},
        {"name": "text?", "email": "contact?", "external_id": "id?", "consent/marketing/sms": "flag"},
    ),
    "merge": Request("POST", "/v1/members/{ada}/merge", {"from_member_id": "nobody"}, {"from_member_id": "id"}),
    "order": Request(
        "POST",
        "/v1/members/{ada}/earn",
        {**ORDER, "lines": [LINE]},
        {
            "type": "tag",
            "order_id": "id",
            "placed_at": "time?",
            "currency": "currency",
            "total": "amount",
            "lines": "list",
            "lines/0": "object",
            "lines/0/sku": "id",
            "lines/0/category": "id?",
            "lines/0/quantity": "positive",
            "lines/0/amount": "amount",
            "channel": "id?",
            "store_id": "id?",
            "touchpoint": "id?",
            "partner_id": "id?",
        },
    ),
    "action": Request(
        "POST",
        "/v1/members/{ada}/earn",
        {"type": "action", "action": "review", "reference": "r", "occurred_at": TIME},
        {"type": "tag", "action": "id", "reference": "id", "occurred_at": "time?", "note": "text?"},
    ),
    "quote": Request(
        "POST",
        "/v1/earn/quote",
        {"currency": "USD", "total": 5},
        {"currency": "currency", "total": "amount", "placed_at": "time?", "order_id": "id", "member_id": "id?"},
    ),
    "refund": Request(
        "POST",
        "/v1/members/{ada}/refunds",
        {"order_id": "A-1", "refund_id": "R", "amount": 5, "refunded_at": TIME},
        {"order_id": "id", "refund_id": "id", "amount": "positive", "refunded_at": "time?"},
    ),
    "adjust": Request(
        "POST",
        "/v1/members/{ada}/adjustments",
        {"points": 5, "reason": "r", "reference": "c"},
        {"points": "signed", "reason": "text", "reference": "id"},
        OPERATOR,
    ),
    "transfer": Request(
        "POST",
        "/v1/members/{ada}/transfers",
        {"to_member_id": "{grace}", "points": 5},
        {"to_member_id": "id", "points": "positive"},
        OPERATOR,
    ),
    "reward": Request(
        "POST", "/v1/members/{ada}/redemptions", {"reward_id": "free-coffee"}, {"reward_id": "id", "order_id": "id?"}
    ),
    "money": Request(
        "POST",
        "/v1/members/{ada}/redemptions",
        MONEY,
        {"points": "positive", "order_total": "amount", "currency": "currency", "order_id": "id?"},
    ),
}

NO_OBJECT: list[Any] = [5, 5.0, True, "x", [], [{}]]
NO_TEXT: list[Any] = [5, 5.0, True, [], {}, "", "nul\x00", "\x1b[31m", "\x7f", "\ud800", "x\udfff", "x" * 100_000]
NO_NUMBER: list[Any] = ["5", "", 5.0, 0.5, 1e300, True, False, [], {}, 10**30, -(10**30), 10**4000]
HOSTILE: dict[str, list[Any]] = {
    "object": NO_OBJECT,
    "list": [5, "x", True, {}, [5], [[]], [None]],
    "flag": ["true", 1, 0, "yes", None, [], {}, 5.0],
    "tag": [None, 5, [], {}, "", "Order", "\ud800", True],
    "text": [*NO_TEXT, None],
    "text?": NO_TEXT,
    "id": [*NO_TEXT, None, "x" * 129, "line\nbreak", "\x85"],
    "id?": [*NO_TEXT, "x" * 129, "line\nbreak", "\u2028"],
    "contact?": [*NO_TEXT, "x", "a@b@c", "+", "\u0661" * 300],
    "currency": [*NO_TEXT, None, "EUR", "usd", "US", "USDD", "XXX", "\uff35\uff33\uff24"],
    "amount": [*NO_NUMBER, None, -1, 10**12 + 1],
    "positive": [*NO_NUMBER, None, -1, 0, 10**12 + 1],
    "signed": [*NO_NUMBER, None, 0, 10**9 + 1, -(10**9) - 1],
    "time": [
        *NO_TEXT,
        None,
        1763661780,
        "now",
        "2026-11-20",
        "2026-11-20T18:03:00",
        "2026-11-20 18:03",
        "2026-13-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "1969-12-31T23:59:59Z",
        "2026-11-20T25:00:00Z",
        "2026-11-20T18:03:00+25:00",
        "2026-11-20T18:03:00.1234567890Z",
        "٢٠٢٦-11-20T18:03:00Z",
    ],
}
HOSTILE["time?"] = [value for value in HOSTILE["time"] if value is not None]


@pytest.fixture
def ada(shop: Shop) -> str:
    """A member with an order and points to spend, and beside her grace."""
    ada = shop.enroll("ada")
    shop.order(ada, "A-1", 1000)
    shop.adjust(ada, 500, "start")
    return ada


@pytest.fixture
def grace(shop: Shop) -> str:
    return shop.enroll("grace")


def send(shop: Shop, request: Request, ada: str, grace: str, body: Any = None, **options: Any) -> Reply:
    if body is not None:
        body = json.loads(json.dumps(body).replace("{grace}", grace))
    headers = {"Idempotency-Key": "k", **options.pop("headers", {})}
    path = request.path.format(ada=ada)
    return shop.call(request.method, path, body, scope=request.scope, headers=headers, **options)


def assert_documented(reply: Reply) -> None:
    assert reply.status in REFUSALS, reply
    assert reply.code in REFUSALS[reply.status], reply
    assert_refused(reply, reply.status, reply.code)


def changed(body: Any, place: str, value: Any) -> Any:
    """The body with another value at a place; what leads there is made if it is missing."""
    body = copy.deepcopy(body)
    parents, _, last = place.rpartition("/")
    at = held(body, parents)
    at[int(last) if isinstance(at, list) else last] = value
    return body


def held(body: Any, place: str) -> Any:
    """What stands at a place, made if it is missing."""
    for step in filter(None, place.split("/")):
        body = body[int(step)] if isinstance(body, list) else body.setdefault(step, {})
    return body


@pytest.mark.parametrize("name", REQUESTS)
def test_a_value_of_the_wrong_kind_is_refused_wherever_it_stands(shop: Shop, ada: str, grace: str, name: str) -> None:
    request = REQUESTS[name]
    with shop.writing_nothing():
        for place, kind in request.kinds.items():
            for value in HOSTILE[kind]:
                reply = send(shop, request, ada, grace, changed(request.body, place, value))
                assert_documented(reply)
                assert (reply.status, reply.code) == (422, "invalid_request"), (place, value, reply)
                assert any(pointer.startswith(f"/{place.split('/')[0]}") for pointer in reply.pointers), (place, value)


@pytest.mark.parametrize("name", REQUESTS)
def test_an_unknown_field_is_refused_wherever_it_stands(shop: Shop, ada: str, grace: str, name: str) -> None:
    request = REQUESTS[name]
    places = ["", *(place for place, kind in request.kinds.items() if kind == "object")]
    with shop.writing_nothing():
        for place in places:
            for field in ("unknown", "", "a/b~c", "Type", "\u0000", "member id", "é" * 1000, "\ud800"):
                body = copy.deepcopy(request.body)
                held(body, place)[field] = None
                reply = send(shop, request, ada, grace, body)
                assert_documented(reply)
                assert reply.code == "invalid_request"


def test_the_place_of_an_oddly_named_field_is_a_json_pointer(shop: Shop, ada: str) -> None:
    reply = shop.post(f"/v1/members/{ada}/earn", {**ORDER, "a/b~c": 1})
    assert reply.pointers == ["/a~1b~0c"]


def test_requests_that_are_tested_are_carried_out_when_nothing_is_wrong(shop: Shop, ada: str, grace: str) -> None:
    shop.change_program(transfers={})
    for name, request in REQUESTS.items():
        reply = send(shop, request, ada, grace, request.body)
        assert reply.status in {200, 201} or name in {"lookup", "merge", "money"}, (name, reply)


NOT_JSON = [
    "{",
    "}",
    "{'a': 1}",
    '{"a": 1,}',
    '{"a": NaN}',
    '{"a": Infinity}',
    '{"a": -Infinity}',
    "NaN",
    '{"a": 01}',
    '{"a": "\t"}',
    '{"a": "\\x"}',
    '{"a": 1} {"b": 2}',
    "{\ufeff}",
    " ",
    "\x00",
    "undefined",
    "<order/>",
    '{"type": "order", "type": "action"}',
    '{"consent": {"marketing": {}, "marketing": {}}}',
    '{"total": ' + "9" * 5000 + "}",
    "[" * 100_000,
    '{"a":' * 40_000,
    '{"a": "\ud800"}',
]
NO_JSON_OBJECT = ["[]", "[{}]", '"order"', "5", "5.5", "true", "null", "1e999", "[" * 500 + "]" * 500]


@pytest.mark.parametrize("name", REQUESTS)
def test_a_body_that_is_not_json_is_refused(shop: Shop, ada: str, grace: str, name: str) -> None:
    with shop.writing_nothing():
        for text in NOT_JSON:
            assert_refused(send(shop, REQUESTS[name], ada, grace, text=text), 400, "malformed_json")


@pytest.mark.parametrize("name", REQUESTS)
def test_a_body_that_is_no_json_object_is_refused(shop: Shop, ada: str, grace: str, name: str) -> None:
    with shop.writing_nothing():
        for text in (*NO_JSON_OBJECT, None, ""):
            reply = send(shop, REQUESTS[name], ada, grace, text=text)
            assert_refused(reply, 422, "invalid_request")
            assert reply.pointers == [""]


def test_deeply_nested_values_are_refused(shop: Shop, ada: str) -> None:
    nested: list[Any] = []
    for _ in range(400):
        nested = [nested]
    with shop.writing_nothing():
        for place in ("lines", "order_id", "total", "unknown", "type"):
            reply = shop.post(f"/v1/members/{ada}/earn", {**ORDER, place: nested})
            assert_refused(reply, 422, "invalid_request")


def test_a_body_with_thousands_of_faults_names_so_many_of_them(shop: Shop, ada: str) -> None:
    with shop.writing_nothing():
        reply = shop.order(ada, lines=[0] * 30_000)
    assert_refused(reply, 422, "invalid_request")
    assert len(reply.body["errors"]) == problems.FAULTS_MAX
    assert len(json.dumps(reply.body)) < 100_000


@pytest.mark.parametrize("name", REQUESTS)
def test_a_body_beyond_its_limit_is_refused(shop: Shop, ada: str, grace: str, name: str) -> None:
    request = REQUESTS[name]
    text = json.dumps(request.body)
    with shop.writing_nothing():
        for size in (bodies.BODY_BYTES_MAX + 1, 2**20):
            for body in (text + " " * (size - len(text)), "é" * (size // 2 + 1)):
                assert_refused(send(shop, request, ada, grace, text=body), 413, "body_too_large")


def test_a_body_up_to_its_limit_is_read(shop: Shop, ada: str) -> None:
    text = json.dumps({**ORDER, "order_id": "A-2"})
    padded = text + " " * (bodies.BODY_BYTES_MAX - len(text))
    assert shop.call("POST", f"/v1/members/{ada}/earn", text=padded).status == 201


MEDIA_TYPES = [
    None,
    "",
    "text/plain",
    "text/json",
    "application/xml",
    "application/jsonp",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    "json",
    ";",
    "application/json/x",
]


@pytest.mark.parametrize("name", REQUESTS)
def test_a_body_that_is_not_declared_as_json_is_refused(shop: Shop, ada: str, grace: str, name: str) -> None:
    request = REQUESTS[name]
    with shop.writing_nothing():
        for media_type in MEDIA_TYPES:
            headers = {"content-type": media_type}
            reply = send(shop, request, ada, grace, request.body, headers=headers)
            assert_refused(reply, 415, "unsupported_media_type")
            assert_refused(send(shop, request, ada, grace, headers=headers), 422, "invalid_request")


@pytest.mark.parametrize(
    "media_type", ["application/json; charset=utf-8", "Application/JSON", "application/json;charset=UTF-8;x=y"]
)
def test_json_is_json_however_it_is_written(shop: Shop, ada: str, media_type: str) -> None:
    body = {**ORDER, "order_id": media_type}
    reply = shop.call("POST", f"/v1/members/{ada}/earn", body, headers={"content-type": media_type})
    assert reply.status == 201


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_a_request_without_a_body_needs_no_media_type(shop: Shop, ada: str, media_type: str | None) -> None:
    redemption_id = shop.redeem(ada).body["redemption_id"]
    path = f"/v1/members/{ada}/redemptions/{redemption_id}/capture"
    assert shop.call("POST", path, headers={"content-type": media_type}).status == 200


def test_a_body_in_base64_is_the_same_body(shop: Shop, ada: str) -> None:
    text = base64.b64encode(json.dumps({**ORDER, "order_id": "Ä"}, ensure_ascii=False).encode()).decode()
    reply = shop.call("POST", f"/v1/members/{ada}/earn", text=text, in_base64=True)
    assert (reply.status, reply.body["entry"]["source"]["order_id"]) == (201, "Ä")


@pytest.mark.parametrize(
    "data", [b"\xff\xfe", b'{"a": "\xe9"}', '{"type": "order"}'.encode("utf-16"), b"\xed\xa0\x80", b"\x1f\x8b\x08"]
)
def test_a_body_that_is_not_utf_8_is_refused(shop: Shop, ada: str, data: bytes) -> None:
    text = base64.b64encode(data).decode()
    with shop.writing_nothing():
        reply = shop.call("POST", f"/v1/members/{ada}/earn", text=text, in_base64=True)
    assert_refused(reply, 400, "malformed_json")


@pytest.mark.parametrize("text", ["%%%", "a", "====", "{}", "é", "\ud800"])
def test_a_body_that_is_not_the_base64_it_is_said_to_be_is_refused(shop: Shop, ada: str, text: str) -> None:
    with shop.writing_nothing():
        reply = shop.call("POST", f"/v1/members/{ada}/earn", text=text, in_base64=True)
    assert_documented(reply)


ODD_IDS = [
    "unknown",
    "ME",
    "%",
    "%23",
    "%2F",
    "%00",
    "..",
    ".",
    "a b",
    " ",
    "#",
    "x#ACCOUNT",
    "MEMBER#x",
    "😀",
    "é",
    "漢" * 1000,
    "x" * 1000,
    "x" * 5000,
    "nul\x00",
    "a\nb",
    "\u2028",
    "{}",
    "{member_id}",
    "<member_id>",
    "a,b",
    "*",
    "null",
    "-1",
]


@pytest.mark.parametrize("id_", ODD_IDS, ids=ascii)
def test_odd_ids_are_of_nobody_and_nothing(shop: Shop, ada: str, grace: str, id_: str) -> None:
    with shop.writing_nothing():
        for method, path in (
            ("GET", "/v1/members/{id_}"),
            ("DELETE", "/v1/members/{id_}"),
            ("GET", "/v1/members/{id_}/account"),
            ("GET", "/v1/members/{id_}/entries"),
            ("GET", "/v1/members/{id_}/export"),
            ("GET", "/v1/members/{id_}/redemptions/x"),
            ("GET", "/v1/members/{ada}/redemptions/{id_}"),
            ("POST", "/v1/members/{ada}/redemptions/{id_}/capture"),
            ("POST", "/v1/members/{ada}/redemptions/{id_}/cancel"),
            ("POST", "/v1/members/{ada}/redemptions/{id_}/reverse"),
        ):
            place = path.replace("{ada}", ada).replace("{id_}", id_)
            reply = shop.call(method, place, scope=f"{STOREFRONT} {OPERATOR}")
            assert reply.status == 404, (place, reply)
            assert_documented(reply)
        for request in REQUESTS.values():
            if "{ada}" in request.path:
                assert send(shop, request, id_, grace, request.body).status == 404
        asked = {"currency": "USD", "total": 5, "member_id": id_}
        assert_documented(shop.post("/v1/earn/quote", asked))
        assert shop.get("/v1/rewards", query={"member_id": id_}).code == "member_not_found"


@pytest.mark.parametrize("id_", ["{ada} ", " {ada}", "{ada}#", "{ada}\x00", "{ada}%20", "{ada},{ada}"], ids=ascii)
def test_an_id_is_the_whole_id(shop: Shop, ada: str, id_: str) -> None:
    reply = shop.get(f"/v1/members/{id_.format(ada=ada)}/account")
    assert reply.status == 404
    assert shop.get("/v1/rewards", query={"member_id": id_.format(ada=ada)}).status == 404


@pytest.mark.parametrize("key", ["ключ", "🔑", "a" * 255, "a,b", '"k"', "{}", "#"])
def test_any_printable_key_will_do(shop: Shop, ada: str, key: str) -> None:
    assert shop.redeem(ada, key=key).status == 201
    assert shop.redeem(ada, key=key).replayed


def test_every_unknown_query_parameter_is_named_with_those_that_are_known(shop: Shop, ada: str) -> None:
    reply = shop.get(
        f"/v1/members/{ada}/entries", query={"limit": "5", "limits": "abc", "x[]": "1", "": "", "é": "\x00"}
    )
    assert_refused(reply, 422, "invalid_request")
    assert reply.pointers == ["query:", "query:limits", "query:x[]", "query:é"]
    said = {fault["pointer"]: fault["detail"] for fault in reply.body["errors"]}
    assert said.pop("query:limits").endswith("did you mean limit?")
    assert all("cursor, limit" in detail for detail in said.values())
    reply = shop.get(f"/v1/members/{ada}/account", query={"as_of": "2027-01-01"})
    assert_refused(reply, 422, "invalid_request")
    assert "takes none" in reply.body["detail"]


@pytest.mark.parametrize("in_base64", [False, True])
def test_a_leading_byte_order_mark_is_passed_over(shop: Shop, ada: str, in_base64: bool) -> None:
    marked = "\ufeff" + json.dumps(ORDER)
    text = base64.b64encode(marked.encode()).decode() if in_base64 else marked
    assert shop.post(f"/v1/members/{ada}/earn", text=text, in_base64=in_base64).status == 201
    assert shop.get(f"/v1/members/{ada}/account", text="\ufeff").status == 200
    assert_refused(shop.post(f"/v1/members/{ada}/earn", text="\ufeff" + marked), 400, "malformed_json")


# Anything at all -----------------------------------------------------------------------------------------------------

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters())
    | st.sampled_from(["USD", TIME, "free-coffee", "A-1", "nobody", 10**40, -1, "\ud800"])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


@st.composite
def requests(draw: st.DrawFn) -> tuple[Request, Any]:
    """A request that would be carried out, with up to three of its values exchanged for others."""
    request = REQUESTS[draw(st.sampled_from(sorted(REQUESTS)))]
    body = copy.deepcopy(request.body)
    for place in draw(st.lists(st.sampled_from(sorted(request.kinds)), min_size=1, max_size=3, unique=True)):
        holders = [body, *(value for value in body.values() if isinstance(value, dict))]
        draw(st.sampled_from(holders))[place.split("/")[-1]] = draw(VALUES)
    return request, body


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(requests())
def test_whatever_is_sent_is_carried_out_or_refused_without_a_trace(
    shop: Shop, ada: str, grace: str, sent: tuple[Request, Any]
) -> None:
    request, body = sent
    before = shop.tables()
    reply = send(shop, request, ada, grace, body)
    if reply.status not in {200, 201}:
        assert_documented(reply)
        assert shop.tables() == before


def texts() -> Iterator[str]:
    """Bodies cut off after each character, and with each character exchanged."""
    whole = json.dumps(ORDER)
    for index in range(len(whole)):
        yield whole[:index]
        yield f"{whole[:index]}\\{whole[index + 1 :]}"


def test_a_body_cut_off_or_garbled_anywhere_is_refused(shop: Shop, ada: str) -> None:
    with shop.writing_nothing():
        for text in texts():
            assert_documented(shop.call("POST", f"/v1/members/{ada}/earn", text=text))
