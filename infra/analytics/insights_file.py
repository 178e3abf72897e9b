"""Insights as one page that opens without a network."""

from pathlib import Path

from jinja2 import Environment, StrictUndefined

from infra.analytics.insights import Insights
from infra.errors import LocalError

_TEMPLATE = Path(__file__).with_name("insights.html")


def write_html(found: Insights, path: Path) -> None:
    """Write the page. Raises LocalError if the file cannot be written."""
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    text = page.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        as_of=f"{found.as_of:%Y-%m-%d %H:%M}", tables=found.tables
    )
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise LocalError(f"{path} cannot be written: {error.strerror}") from error
