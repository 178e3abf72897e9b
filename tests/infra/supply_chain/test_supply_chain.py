"""What is installed is pinned by hashes, listed, audited, and no secret was ever committed."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from infra.analytics import packages
from infra.supply_chain import audit, bill_of_materials, secret_scan
from infra.supply_chain.audit import Audit

ROOT = Path(__file__).parents[3]
SHIPPED, BUILT_WITH = ROOT / "infra" / "requirements.txt", ROOT / "infra" / "requirements-dev.txt"
ANALYTICS = ROOT / "infra" / "requirements-analytics.txt"
SCANNED_WITH = ROOT / "infra" / "requirements-checkov.txt"
PINS = {"shipped": SHIPPED, "built with": BUILT_WITH, "analytics": ANALYTICS, "scanned with": SCANNED_WITH}
ALL_PINS = pytest.mark.parametrize("pins", PINS.values(), ids=PINS)
PIN = re.compile(r"^([a-z0-9.-]+)==(\S+) \\$", re.MULTILINE)
BLOCK = re.compile(r"^\S.*(?:\n .*)*", re.MULTILINE)
# Put together here: in one piece they would be found in this file's own history.
AWS_KEY = "AKIA" + "IOSFODNN7EXAMPLQ"
PRIVATE_KEY = "-----BEGIN " + "RSA PRIVATE KEY-----"


class TestPins:
    @ALL_PINS
    def test_every_package_has_one_exact_version_and_its_hashes(self, pins: Path) -> None:
        blocks = BLOCK.findall("\n".join(line for line in pins.read_text().splitlines() if not line.startswith("#")))
        assert len(blocks) > 20
        for block in blocks:
            assert PIN.match(block), block
            assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), block

    def test_what_ships_is_tested_in_the_very_versions_that_ship(self) -> None:
        shipped, tested = (dict(PIN.findall(pins.read_text())) for pins in (SHIPPED, BUILT_WITH))
        assert shipped.items() <= tested.items()

    def test_reports_add_packages_and_change_none(self) -> None:
        built_with, analytics = (dict(PIN.findall(pins.read_text())) for pins in (BUILT_WITH, ANALYTICS))
        assert set(packages.NAMES) <= set(analytics)
        assert {name: analytics[name] for name in analytics.keys() & built_with} == {
            name: built_with[name] for name in analytics.keys() & built_with
        }

    def test_every_file_of_pins_is_audited(self) -> None:
        assert {ROOT / name for name in audit.PINS} == set((ROOT / "infra").glob("requirements*.txt"))

    @ALL_PINS
    def test_no_pin_says_where_it_came_from(self, pins: Path) -> None:
        assert not re.search(r"://|--index|--find-links|--trusted", pins.read_text())


class TestBillOfMaterials:
    def test_it_is_valid_cyclonedx(self) -> None:
        assert (
            JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill_of_materials.document(SHIPPED.read_text()))
            is None
        )

    def test_it_lists_every_package_that_ships_with_every_hash_and_no_other(self) -> None:
        listed = json.loads(bill_of_materials.document(SHIPPED.read_text()))["components"]
        assert {one["name"]: one["version"] for one in listed} == dict(PIN.findall(SHIPPED.read_text()))
        hashes = [digest["content"] for one in listed for digest in one["hashes"]]
        assert sorted(hashes) == sorted(re.findall(r"sha256:(\w+)", SHIPPED.read_text()))
        assert all(one["purl"] == f"pkg:pypi/{one['name']}@{one['version']}" for one in listed)

    def test_it_says_what_each_package_needs(self) -> None:
        written = json.loads(bill_of_materials.document(SHIPPED.read_text()))
        needs: dict[str, list[str]] = {one["ref"]: one.get("dependsOn", []) for one in written["dependencies"]}
        [boto3] = [one for one in needs if one.startswith("pkg:pypi/boto3@")]
        assert boto3 in needs["loyalty-functions"]
        assert {one.partition("@")[0] for one in needs[boto3]} == {
            f"pkg:pypi/{name}" for name in ("botocore", "jmespath", "s3transfer")
        }

    def test_it_is_the_same_for_the_same_pins_and_names_no_host(self) -> None:
        written = bill_of_materials.document(SHIPPED.read_text())
        assert written == bill_of_materials.document(SHIPPED.read_text())
        assert set(re.findall(r"https?://([^/\"]+)", written)) == {"cyclonedx.org"}


class TestAudit:
    FLAW = {"id": "GHSA-1", "fix_versions": ["2.1"], "aliases": [], "description": ""}

    def test_a_vulnerable_package_fails_it_by_name(self, capsys: pytest.CaptureFixture[str]) -> None:
        packages = [
            {"name": "tea", "version": "2.0", "vulns": [self.FLAW]},
            {"name": "cup", "version": "1", "vulns": []},
        ]
        found = audit.read({"dependencies": packages})
        assert audit.report("pins", found, is_required=False) == 1
        assert "VULNERABLE tea 2.0: GHSA-1, mended in 2.1" in capsys.readouterr().out

    def test_packages_that_the_service_does_not_know_are_said_to_be_unaudited(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        found = audit.read({"dependencies": [{"name": "tea", "skip_reason": "not found"}]})
        assert audit.report("pins", found, is_required=False) == 0
        assert "NOT AUDITED pins: 1 packages could not be looked up" in capsys.readouterr().out
        assert audit.report("pins", found, is_required=True) == 1

    def test_a_service_that_does_not_answer_is_said_to_have_audited_nothing(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert audit.report("pins", Audit((), 0, 0, "no route"), is_required=False) == 0
        assert "NOT AUDITED pins: all packages could not be looked up: no route" in capsys.readouterr().out
        assert audit.report("pins", Audit((), 0, 0, "no route"), is_required=True) == 1

    def test_an_audit_without_a_doubt_passes(self) -> None:
        found = audit.read({"dependencies": [{"name": "cup", "version": "1", "vulns": []}]})
        assert (found, audit.report("pins", found, is_required=True)) == (Audit([], 1, 0), 0)


class TestHistory:
    def test_a_secret_that_was_committed_once_is_found_for_ever(self, tmp_path: Path) -> None:
        for name, secret in (("key.pem", PRIVATE_KEY), ("settings.py", f'key = "{AWS_KEY}"'), ("quiet.py", "x = 1")):
            (tmp_path / name).write_text(secret)
        _git(tmp_path, "init", "-q")
        _commit(tmp_path, "Keep keys")
        for path in tmp_path.glob("[!.]*"):
            path.write_text("")
        _commit(tmp_path, f"Take {AWS_KEY} out")
        found = secret_scan.findings(secret_scan.lines_of_history(tmp_path))
        assert {(one.path, one.kind) for one in found} >= {
            ("key.pem", "Private Key"),
            ("settings.py", "AWS Access Key"),
            (secret_scan.MESSAGE, "AWS Access Key"),
        }
        assert not [one for one in found if one.path == "quiet.py"]

    def test_a_secret_that_only_a_merge_brought_in_is_found(self, tmp_path: Path) -> None:
        _git(tmp_path, "init", "-q", "-b", "main")
        (tmp_path / "tea").write_text("green")
        _commit(tmp_path, "Tea")
        _git(tmp_path, "checkout", "-q", "-b", "other")
        _commit(tmp_path, "Another way", "--allow-empty")
        _git(tmp_path, "checkout", "-q", "main")
        (tmp_path / "tea").unlink()
        (tmp_path / "tea").mkdir()
        (tmp_path / "tea" / "cup").write_text("blue")
        _commit(tmp_path, "A folder where a file was")
        _git(tmp_path, "merge", "-q", "--no-ff", "--no-commit", "other")
        (tmp_path / "tea" / "cup").write_text(PRIVATE_KEY)
        _commit(tmp_path, "Merge")
        assert secret_scan.findings(secret_scan.lines_of_history(tmp_path)) == {("tea/cup", "Private Key")}

    def test_every_exception_has_a_reason(self) -> None:
        assert all(secret_scan.KNOWN.values())


def test_ci_runs_all_of_it() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    for step in ("bandit", "infra.supply_chain.secret_scan", "infra.supply_chain.audit", "ruff", "mypy"):
        assert re.search(rf'^"\$bin/.*{re.escape(step)}', script, re.MULTILINE), step


def _commit(folder: Path, message: str, *options: str) -> None:
    _git(folder, "add", "--all")
    _git(folder, "commit", "-q", "-m", message, *options)


def _git(folder: Path, *arguments: str) -> None:
    somebody = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run(["git", "-C", str(folder), *somebody, *arguments], check=True, capture_output=True)  # noqa: S607 - the user's own
