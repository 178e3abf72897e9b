"""What members are sent, as they decide; links that anybody may hold; words to try."""

import itertools
from base64 import b64encode
from collections.abc import Iterator
from datetime import date
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from functions import anybody, mail_feedback, notify
from shared import runtime
from shared.messaging import unsubscribe
from shared.messaging.unsubscribe import Link
from shared.tables import upkeep
from tests.functions.run_queues import Queues
from tests.functions.shop import MEMBER, OPERATOR, Shop, assert_refused
from tests.functions.test_notify import AGREED, Outbox, _stream

FORM = "application/x-www-form-urlencoded"
MULTIPART = 'multipart/form-data; boundary="b"'
PARTS = '--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'


@pytest.fixture
def box() -> Iterator[Outbox]:
    kept = Outbox()
    with runtime.use(channels=kept):
        yield kept


def _marketing(shop: Shop, member: str) -> Any:
    return shop.get(f"/v1/members/{member}/preferences").body["categories"]["marketing"]


def test_a_member_sees_and_changes_what_they_are_sent(shop: Shop) -> None:
    ada = shop.enroll(email="ada@example.org")
    change = {"time_zone": "Asia/Tokyo", "categories": {"marketing": {"email": True}, "service": {"sms": False}}}
    path = "/v1/members/me/preferences"
    assert shop.call("PATCH", path, change, scope=MEMBER, member_id=ada).status == 200
    shown = shop.get(path, scope=MEMBER, member_id=ada).body
    assert shown["time_zone"] == "Asia/Tokyo"
    assert shown["categories"] == {
        "service": {"email": True, "sms": False},
        "marketing": {"email": True, "sms": False},
        "digest": {"email": True, "sms": False},
    }


@pytest.mark.parametrize("change", [{"time_zone": "Mars/Base"}, {"categories": {"spam": {}}}, {"channel": "pigeon"}])
def test_what_cannot_be_wanted_is_refused(shop: Shop, change: dict[str, Any]) -> None:
    ada = shop.enroll()
    with shop.writing_nothing():
        assert_refused(shop.call("PATCH", f"/v1/members/{ada}/preferences", change), 422, "invalid_request")


def test_another_members_preferences_are_nobodys(shop: Shop) -> None:
    ada, grace = shop.enroll("a"), shop.enroll("b")
    reply = shop.get(f"/v1/members/{ada}/preferences", scope=MEMBER, member_id=grace)
    assert_refused(reply, 404, "member_not_found")


def test_a_link_works_however_often_its_member_was_merged_since(shop: Shop) -> None:
    members = [shop.enroll(name, email=f"{name}@example.org", consent=AGREED) for name in ("a", "b", "c", "d")]
    for gone, into in itertools.pairwise(members):
        shop.merge(into, gone)
    assert _marketing(shop, members[-1])["email"] is True
    path = urlsplit(unsubscribe.url_for(Link(members[0], "marketing"))).path
    assert _page("POST", path, "List-Unsubscribe=One-Click", FORM, False)["statusCode"] == 200
    assert _marketing(shop, members[-1])["email"] is False


@pytest.mark.parametrize(("content_type", "text"), [(FORM, "List-Unsubscribe=One-Click"), (MULTIPART, PARTS)])
@pytest.mark.parametrize("in_base64", [False, True])
def test_one_click_ends_marketing_at_once(shop: Shop, content_type: str, text: str, in_base64: bool) -> None:
    ada = shop.enroll(email="ada@example.org", consent=AGREED)
    path = urlsplit(unsubscribe.url_for(Link(ada, "marketing"))).path
    sent = b64encode(text.encode()).decode() if in_base64 else text
    for _ in range(2):
        answer = _page("POST", path, sent, content_type, in_base64)
        assert answer["statusCode"] == 200
    assert _marketing(shop, ada) == {"email": False, "sms": True}


def test_a_link_in_a_mail_passes_over_what_mail_programs_and_trackers_add(shop: Shop) -> None:
    ada = shop.enroll(email="ada@example.org", consent=AGREED)
    path = urlsplit(unsubscribe.url_for(Link(ada, "marketing"))).path
    tracked = {"query": {"utm_source": "mail"}}
    assert _page("GET", path, None, None, in_base64=False, **tracked)["statusCode"] == 200
    form = "List-Unsubscribe=One-Click&campaign=7"
    assert _page("POST", path, form, FORM, in_base64=False, **tracked)["statusCode"] == 200
    assert _marketing(shop, ada)["email"] is False


def test_looking_at_the_link_changes_nothing(shop: Shop) -> None:
    ada = shop.enroll(email="ada@example.org", consent=AGREED)
    with shop.writing_nothing():
        path = urlsplit(unsubscribe.url_for(Link(ada, "marketing"))).path
        answer = _page("GET", path, None, None, in_base64=False)
    assert "<form" in answer["body"]
    assert answer["headers"]["Content-Type"].startswith("text/html")
    assert ada not in path


@pytest.mark.parametrize("token", ["x", "bWFya2V0aW5nOm06eA", "%00", "ä"])
def test_a_link_that_was_never_sent_is_not_found(shop: Shop, token: str) -> None:
    assert_refused(shop.get(f"/v1/unsubscribe/{token}", scope=None), 404, "link_not_found")


def test_a_form_is_taken_nowhere_else(shop: Shop) -> None:
    reply = shop.post("/v1/members", text="a=b", key="k", scope=OPERATOR)
    assert reply.status == 400
    ada = shop.enroll()
    reply = shop.call("PATCH", f"/v1/members/{ada}/preferences", headers={"content-type": FORM}, text="a=b")
    assert_refused(reply, 415, "unsupported_media_type")


def test_a_template_is_tried_before_anybody_reads_it(shop: Shop) -> None:
    ada = shop.enroll(name="Ada", email="ada@example.org")
    words = {"subject": "Hi {{ member_name }}", "text": "{{ balance }}"}
    request = {"kind": "welcome", "member_id": ada, "template": words}
    with_member = shop.post("/v1/messages/preview", request, scope=OPERATOR).body
    assert (with_member["subject"], with_member["text"]) == ("Hi Ada", "100")
    wrong = {"kind": "welcome", "channel": "sms", "template": {"text": "{{ foo }}"}}
    refused = shop.post("/v1/messages/preview", wrong, scope=OPERATOR)
    assert_refused(refused, 422, "invalid_request")
    assert refused.pointers == ["/template/text"]
    assert_refused(shop.post("/v1/messages/preview", request), 403, "forbidden")


def test_a_program_with_faulty_templates_is_not_stored(shop: Shop) -> None:
    text = shop.get("/v1/program").body
    bad = {"kind": "welcome", "channel": "email", "locale": "en", "subject": "{{ a }}", "text": "{{", "html": "{{ b }}"}
    reply = shop.replace_program({**text, "messages": {"templates": [bad]}}, text["version"])
    assert_refused(reply, 422, "invalid_request")
    assert reply.pointers == [f"/messages/templates/0/{part}" for part in ("subject", "text", "html")]


def test_a_bounce_closes_the_address_of_today_and_no_other(shop: Shop) -> None:
    ada = shop.enroll(email="Ada@example.org")
    for address, kind, expected in (("old@example.org", "Permanent", 0), ("ada@example.org", "Transient", 0)):
        assert mail_feedback.handler(_bounce(ada, address, kind), None) == {"suppressed": expected}
    for written in ("Ada@Example.org", '"Lovelace, Ada" <ADA@example.org>'):
        assert mail_feedback.handler(_bounce(ada, written, "Permanent"), None) == {"suppressed": 1}
    [closed] = shop.get(f"/v1/members/{ada}/preferences").body["suppressed"]
    assert (closed["channel"], closed["reason"]) == ("email", "bounce")
    assert mail_feedback.handler(_bounce("nobody", "x@example.org", "Permanent"), None) == {"suppressed": 0}


def test_a_no_while_a_message_waits_counts(shop: Shop, box: Outbox) -> None:
    shop.change_program(messages={"quiet_hours": {"starts_at": "12:00", "ends_at": "20:00"}})
    ada = shop.enroll(email="ada@example.org", consent=AGREED)
    shop.order(ada, total=5_500)
    assert notify.handler(_stream(ada), None) == {"batchItemFailures": []}
    assert box.messages == []
    change = {"categories": {"marketing": {"email": False, "sms": False}}}
    shop.call("PATCH", f"/v1/members/{ada}/preferences", change)
    shop.pass_time(hours=8)
    for _ in range(2):
        notify.handler({"time": shop.now.isoformat(), "work": "waiting"}, None)
    assert box.kinds == ["welcome"]


def test_a_week_has_so_many_offers_and_a_failed_one_is_none(shop: Shop, box: Outbox) -> None:
    shop.change_program(messages={"marketing_per_week": 1, "nudge_within_points": 0})
    ada = shop.enroll(email="ada@example.org", consent=AGREED)
    shop.order(ada, "A-1", total=1_000)
    box.is_broken = True
    notify.handler(_stream(ada), None)
    box.is_broken = False
    shop.order(ada, "A-2", total=1_000)
    notify.handler(_stream(ada), None)
    notify.handler(_stream(ada), None)
    assert box.kinds == ["welcome", "points_earned"]
    shop.pass_time(days=7)
    shop.order(ada, "A-3", total=1_000)
    notify.handler(_stream(ada), None)
    assert box.kinds == ["welcome", "points_earned", "points_earned"]


def test_only_the_dearest_reward_that_came_within_reach_is_named(shop: Shop, box: Outbox) -> None:
    shop.change_program(messages={"also_send": ["reward_reached"]})
    ada = shop.enroll(email="ada@example.org", consent=AGREED)
    shop.order(ada, total=90_000)
    notify.handler(_stream(ada), None)
    assert box.kinds.count("reward_reached") == 1


def test_a_tier_in_danger_is_announced_and_a_safe_one_is_not(shop: Shop, box: Outbox, queues: Queues) -> None:
    shop.change_program(messages={"tier_warning_days": [30], "reminder_days": []})
    ada = shop.enroll(email="ada@example.org")
    shop.order(ada, "A-1", total=60_000)
    heard = []
    for day in (date(2026, 11, 20), date(2027, 10, 21), date(2027, 12, 1), date(2028, 10, 21)):
        shop.now = shop.now.replace(year=day.year, month=day.month, day=day.day)
        upkeep.catch_up(ada, shop.now)
        notify.handler({"time": shop.now.isoformat()}, None)
        queues.deliver()
        heard += [(day.year, message.subject) for message in box.messages if message.kind == "tier_warning"]
        box.messages.clear()
    assert heard == [(2028, "Silver ends in 30 days")]


def _bounce(member_id: str, address: str, kind: str) -> dict[str, Any]:
    bounce = {"bounceType": kind, "bouncedRecipients": [{"emailAddress": address}]}
    return {"detail": {"eventType": "Bounce", "bounce": bounce, "mail": {"tags": {"member_id": [member_id]}}}}


def _page(
    method: str,
    path: str,
    text: str | None,
    content_type: str | None,
    in_base64: bool,
    query: dict[str, str] | None = None,
) -> dict[str, Any]:
    event = {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": urlencode(query or {}),
        "queryStringParameters": query,
        "headers": {"content-type": content_type} if content_type else {},
        "requestContext": {"http": {"method": method, "path": path}, "stage": "$default", "authorizer": {}},
        "body": text,
        "isBase64Encoded": in_base64,
    }
    answer = anybody.handler(event, None)
    found = dict(answer.get("headers", {}))
    found |= {name: values[0] for name, values in answer.get("multiValueHeaders", {}).items()}
    return {**answer, "headers": found}
