"""What anybody may call without a token: the program as members may see it, and the links in messages.

They are kept in a function of their own, whose concurrency is reserved: however often they are called, tills find
theirs free, and what a stranger reaches has the rights that these routes need.
"""

from html import escape
from http import HTTPStatus
from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler.openapi.params import Body
from pydantic import Field

from shared import clock
from shared.api import resolver, routes
from shared.api.answers import Answer, json_answer
from shared.api.bodies import FORM_BYTES_MAX
from shared.api.schemas.programs import program_answer
from shared.domain.fields import Record, Reference
from shared.domain.program.program import Program
from shared.messaging import unsubscribe as links
from shared.services import address_changes, subscriptions
from shared.services import program as program_service

SHOP_ONLY = frozenset(
    {"segments", "campaigns", "messages", "standing_rules", "referrals", "partners", "operators", "privacy"}
    | {"remembered_days"}
)
"""What only the shop may read: costs, groups of members, the texts of messages, how long it knows people again."""

_UNDONE = "Your old address is back. If somebody else has changed it, change your password, too."

app = resolver.resolver(forms=resolver.Forms(links.PATH, links.link_of), bytes_max=FORM_BYTES_MAX)


class OneClick(Record, extra="ignore"):
    """What RFC 8058 has a mail program post; fields that one adds are passed over."""

    list_unsubscribe: Annotated[Literal["One-Click"], Field(alias="List-Unsubscribe")]


class Undo(Record):
    """The token of a link that was sent to an address."""

    token: Reference


class Undone(Record):
    """What was done; of whom, whoever has the link is not told."""

    detail: str


@app.get(
    "/v1/program",
    responses=routes.json_responses({200: Program}),
    summary="The program as members may see it",
    tags=["Program"],
)
def read_program() -> Answer:
    return program_answer(program_service.read_program(), without=SHOP_ONLY)


@app.get(
    "/v1/unsubscribe/<token>",
    responses=routes.html_responses(404),
    summary="A page that asks whether to unsubscribe; looking at it changes nothing",
    tags=["Messages"],
)
def ask_to_unsubscribe(token: str) -> Answer:
    category, program_name = subscriptions.read_subscription(token)
    what = "statements" if category == "digest" else "offers"
    form = (
        '<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">'
        "<button>Unsubscribe</button></form>"
    )
    return _page(program_name, f"<p>No more e-mail with {what} from {escape(program_name)}?</p>{form}")


@app.post(
    "/v1/unsubscribe/<token>",
    responses=routes.html_responses(404),
    summary="Unsubscribe with one click (RFC 8058): no more e-mail of the link's category, at once",
    tags=["Messages"],
)
def unsubscribe(token: str, form: Annotated[OneClick, Body()]) -> Answer:  # noqa: ARG001 - the resolver checks it
    subscription = subscriptions.end_subscription(token, now=clock.now())
    return _page(subscription.program_name, "<p>You are unsubscribed.</p>")


@app.get(
    "/v1/changes/undo/<token>",
    responses=routes.html_responses(404),
    summary="A page that asks whether to put an address back; looking at it changes nothing",
    tags=["Members"],
)
def ask_to_undo(token: str) -> Answer:
    form = '<form method="post"><button>Put it back</button></form>'
    return _page(address_changes.read_link(token), f"<p>Put your old e-mail address or phone number back?</p>{form}")


@app.post(
    "/v1/changes/undo/<token>",
    responses=routes.html_responses(404, 409),
    summary="Put an address back, by the page that its link leads to",
    tags=["Members"],
)
def undo_by_page(token: str) -> Answer:
    return _page(address_changes.undo(token, now=clock.now()), f"<p>{_UNDONE}</p>")


@app.post(
    "/v1/changes/undo",
    responses=routes.json_responses({200: Undone}, 404, 409),
    summary="Put an address back, by the token of the link that was sent to it",
    tags=["Members"],
)
def undo(request: Annotated[Undo, Body()]) -> Answer:
    address_changes.undo(request.token, now=clock.now())
    return json_answer(Undone(detail=_UNDONE))


def _page(title: str, content: str) -> Answer:
    """A page that loads nothing and links nowhere, so that no other site learns its address from a browser."""
    body = (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="robots" content="noindex"></head>\n<body><h1>{escape(title)}</h1>\n{content}</body></html>\n'
    )
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return Answer(
        status_code=int(HTTPStatus.OK), content_type=f"{routes.HTML_TYPE}; charset=utf-8", headers=headers, body=body
    )


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer one HTTP request."""
    return app.resolve(event, context)
