"""Documents for other tools: `loyalty openapi` and `loyalty sbom`."""

import json

import typer

from infra import openapi as api

app = typer.Typer()


@app.command()
def openapi() -> int:
    """Print the OpenAPI document."""
    print(json.dumps(api.document(), indent=2))
    return 0


@app.command()
def sbom() -> int:
    """Print what ships to Lambda, with hashes, as a CycloneDX document."""
    from infra.supply_chain import bill_of_materials  # noqa: PLC0415 - its library is in the extra "cloud"

    print(bill_of_materials.document(bill_of_materials.PINS.read_text(encoding="utf-8")))
    return 0
