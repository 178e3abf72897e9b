"""The CDK app: `python -m infra.app` writes the template and all assets, without Docker or credentials.

They go to `cdk.out`, or where the CDK's command line says by `CDK_OUTDIR`.
"""

import os
import sys
from pathlib import Path
from typing import Any

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from infra.cloud.build.bytecode import RUNTIME, runtime_python
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


def main() -> None:
    """Write what goes to AWS. Exits with what is wrong with the options, or with this machine."""
    try:
        require_bytecode(Options.of(App().node))
        synthesize(Path(os.environ.get("CDK_OUTDIR") or "cdk.out"))
    except OptionError as error:
        sys.exit(f"loyalty: {error}")


def require_bytecode(options: Options) -> None:
    """Raises OptionError where functions of a stack that is kept would start slowly: nobody compiles them later."""
    if options.is_kept and runtime_python() is None:
        raise OptionError(f"stage {options.stage} needs Python {RUNTIME} on this machine, as Lambda has, for bytecode")


if __name__ == "__main__":
    main()
