"""QR codes as pictures within a page, which load nothing."""


def svg(text: str) -> str:
    """A picture of a text, dark on white whatever the page's colours are: scanners want it so.

    It is markup that is safe in a page: shapes alone, the text is in none of them.
    """
    import segno  # noqa: PLC0415 - few pages show one

    code = segno.make_qr(text, error="m")
    picture: str = code.svg_inline(border=4, dark="#000", light="#fff", omitsize=True, svgclass=None, lineclass=None)
    return picture
