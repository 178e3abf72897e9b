"""What is done before Lambda keeps a process as a snapshot."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = """
from shared import start
from shared.aws import session
from shared.tables import client
from shared.domain.program.program import Program
from snapshot_restore_py import get_before_snapshot

session.client = None  # from here on none can be made
print(client.client().meta.service_model.service_name, Program.__pydantic_complete__)
while hooks := get_before_snapshot():
    hook, arguments, options = hooks.pop()
    hook(*arguments, **options)
print(Program.__pydantic_complete__)
"""


def test_a_snapshot_holds_the_client_and_every_validator_so_that_no_request_waits_for_them() -> None:
    environment = {
        "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "FUNCTION": "functions.account",
    }
    command = [sys.executable, "-c", PROGRAM]
    answer = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert answer.stdout.split() == ["dynamodb", "False", "True"], answer.stderr
