"""A page for each code of a refusal: where a problem's `type` leads."""

from html import escape

from infra.refusals import Refusal, refusals

_STYLE = "body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}code{font-size:1.1em}"
_BY_STATUS = {
    400: "Mend the request as the detail says, and send it again.",
    401: "Get a new access token, and send it as Authorization: Bearer with the token after it.",
    403: "Use a token with one of the scopes that the detail names.",
    404: "Check the id. A member is found by what a shop knows of them at POST /v1/members/lookup.",
    405: "Use one of the methods that the header Allow names.",
    409: "The request is right, but what it meets does not allow it. Read the state again, and decide anew.",
    412: "Read it again, make the change to what you have read, and send that.",
    413: "Send less in one request.",
    415: "Send the body as Content-Type: application/json.",
    422: "Mend what each of errors names: pointer says where, detail says what to send.",
    429: "Wait as long as the header Retry-After says, and send the same request again.",
    503: "Wait as long as the header Retry-After says, and send the same request again, under the same key.",
}


def pages() -> dict[str, str]:
    """The pages by their codes."""
    return {one.code: _page(one) for one in refusals()}


def _page(refusal: Refusal) -> str:
    title = escape(refusal.code)
    again = "The same request may be sent again." if refusal.is_retryable else "The same request gets the same answer."
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>\n'
        f"<body><h1><code>{title}</code></h1>\n<p>{escape(refusal.meaning)}</p>\n"
        f"<p>HTTP status {refusal.status}. Nothing was written. {again}</p>\n"
        f"<h2>What to do</h2>\n<p>{escape(_BY_STATUS[refusal.status])}</p>\n"
        "<p>The answer's <code>request_id</code> finds it in the log.</p></body></html>\n"
    )
