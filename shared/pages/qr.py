"""QR codes as pictures within a page, which load nothing."""

from markupsafe import Markup


def svg(text: str) -> Markup:
    """A picture of a text, dark on white whatever the page's colours are: scanners want it so."""
    import segno  # noqa: PLC0415 - few pages show one

    code = segno.make_qr(text, error="m")
    picture = code.svg_inline(border=4, dark="#000", light="#fff", omitsize=True, svgclass=None, lineclass=None)
    return Markup(picture)  # noqa: S704 - shapes alone: the text is in none of them
