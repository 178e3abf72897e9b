"""The CDK app: `python -m infra.app` writes the template and all assets to `cdk.out`, without Docker or credentials."""

import sys
from pathlib import Path
from typing import Any

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from infra.cloud.options import OptionError, Options
from infra.stack import LoyaltyStack

_AS_NEW = {"@aws-cdk/aws-lambda:recognizeLayerVersion": True}
"""Without it another layer makes no other version, and whoever is called by a version keeps the packages of old."""


def synthesize(folder: Path, **context: Any) -> str:  # noqa: ANN401 - context is anything
    """Write the app to a folder, with `context` on top of what the CDK's command line hands on; the stack's name."""
    app = App(outdir=str(folder), context={**_AS_NEW, **context})
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    options = Options.of(app.node)
    LoyaltyStack(app, options.stack, options, description="A loyalty program: points kept like money")
    app.synth()
    return options.stack


if __name__ == "__main__":
    try:
        synthesize(Path("cdk.out"))
    except OptionError as error:
        sys.exit(f"loyalty: {error}")
