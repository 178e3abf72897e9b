"""A page to browse the document with, from assets that come with an installed package: nothing is fetched elsewhere."""

from importlib import resources
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from infra.openapi import DOCUMENT_PATH

PATH = "/docs"

_ASSETS = {
    "swagger-ui-bundle.min.js": "text/javascript",
    "swagger-ui.min.css": "text/css",
}
_PAGE = f"""<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>Loyalty Functions</title>
  <link rel="stylesheet" href="{PATH}/swagger-ui.min.css">
</head>
<body>
  <div id="page"></div>
  <script src="{PATH}/swagger-ui-bundle.min.js"></script>
  <script src="{PATH}/start.js"></script>
</body>
</html>
"""
_START = f"""SwaggerUIBundle({{
  url: "{DOCUMENT_PATH}", dom_id: "#page", deepLinking: true, persistAuthorization: true, validatorUrl: null,
}});
"""
# Swagger UI styles its elements in place, and draws its icons from data.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def routes(document: dict[str, Any]) -> list[Route]:
    """The document, the page, and what the page needs."""
    assets = resources.files("aws_lambda_powertools.event_handler.openapi.swagger_ui")
    return [
        _fixed(DOCUMENT_PATH, JSONResponse(document)),
        _fixed("/", RedirectResponse(PATH)),
        _fixed(PATH, HTMLResponse(_PAGE, headers={"Content-Security-Policy": _POLICY})),
        _fixed(f"{PATH}/start.js", Response(_START, media_type="text/javascript")),
        *(
            _fixed(f"{PATH}/{name}", Response(assets.joinpath(name).read_bytes(), media_type=media_type))
            for name, media_type in _ASSETS.items()
        ),
    ]


def _fixed(path: str, response: Response) -> Route:
    async def answer(_request: Request) -> Response:
        return response

    return Route(path, answer)
