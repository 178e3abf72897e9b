"""The rules that keep the parts apart, read from the source itself."""

import ast
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import pytest

from infra.cloud.permissions import NEEDS

ROOT = Path(__file__).parent.parent
LINES_MAX = 70
CLOCKS = {
    *("datetime.now", "datetime.utcnow", "datetime.today", "date.today"),
    *("time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "time.perf_counter"),
}
CHANCE = {"random", "secrets", "uuid"}
MACHINE = {
    *("http", "io", "logging", "os", "pathlib", "random", "secrets", "shutil", "socket", "ssl", "subprocess", "sys"),
    *("threading", "time", "uuid"),
}
LIBRARIES = {"email_validator", "iso4217", "jinja2", "phonenumbers", "pydantic"}
"""What the rules of points may lean on beside Python's own library."""
LAYERS = ("", "tables", "messaging", "services", "api", "pages")
"""The folders of `shared` from the lowest up, after `domain`, which leans on nothing; "" is what all layers may use."""
ROOMS = ("", "program", "members", "points", "earning", "spending", "lifecycle", "telling")
"""The folders of `domain` from the lowest up; "" is what all of them are made of."""
HEAVY = {
    "aws_lambda_powertools.event_handler.openapi.models",
    "aws_lambda_powertools.utilities.validation",
    "boto3",
    "botocore.session",
    "dns",
    "email_validator",
    "fastjsonschema",
    "iso4217",
    "phonenumbers",
    "requests",
    "s3transfer",
    "tzdata",
}
"""What a cold start does not wait for: imported where it is used, if at all."""
REPORTS = {"duckdb", "numpy", "pandas", "scipy", "sqlglot", "xlsxwriter"}
"""What reports on the whole ledger are made with: an extra, that no function of the API carries."""
TIME_AND_CHANCE = {"shared/clock.py", "shared/runtime.py"}
HOSTS_FUNCTIONS = {
    *("infra/local/server.py", "infra/openapi.py"),
    *("infra/bench/expiry.py", "infra/bench/warm.py", "infra/bench/world.py"),
}
"""What of `infra` runs functions with events of their sources, measures them so, or lists their routes."""
IMPORTS = {"import_module", "importlib.import_module", "__import__"}
OWN = {"self", "cls", "super()"}
REACHING = {"getattr", "setattr", "hasattr", "delattr", "__setattr__", "object", "patch"}
OF_NAMED_TUPLES = {"_asdict", "_replace", "_fields", "_make"}
PRIVATE_BUT_MEANT = {"os._exit"}
STARTER = "shared/start.py"
"""Is what Lambda runs: importing it is its work."""
OUTSIDE = re.compile(r"(^|/)\.\.(/|$)|^(/home|/mnt|/root|/work)(/|$)|^~/")
SERVICES = {
    "shared/messaging/channels.py": {"events", "sesv2", "sns"},
    "shared/tables/client.py": {"dynamodb"},
    "shared/aws/sqs.py": {"sqs"},
    "shared/settings.py": {"secretsmanager"},
}


UNDERSTAND_FAILURES = {"shared/aws/answers.py", "shared/tables/client.py"}
"""What failures of any service mean, and what DynamoDB's refusals do."""


@dataclass(frozen=True)
class Source:
    """One source file, and what can be read off it."""

    name: str
    tree: ast.Module

    @property
    def module(self) -> str:
        """Its name as others import it."""
        return self.name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @cached_property
    def imported(self) -> set[str]:
        """Every module that it imports, for types too; of `from a import b` both a and a.b."""
        found: set[str] = set()
        for node in self.nodes:
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
        return found

    @cached_property
    def roots(self) -> set[str]:
        """The packages that it imports from."""
        return {name.split(".")[0] for name in self.imported}

    @cached_property
    def imported_by_text(self) -> set[str]:
        """The packages that it imports from by a name that it makes."""
        calls = [node for node in self.nodes if isinstance(node, ast.Call) and ast.unparse(node.func) in IMPORTS]
        texts = [next(filter(None, map(_text, ast.walk(call.args[0]))), "") for call in calls]
        return {text.split(".")[0] for text in texts}

    @cached_property
    def attributes(self) -> set[str]:
        """Every `name.attribute` in it."""
        return {
            f"{node.value.id}.{node.attr}"
            for node in self.nodes
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        }

    @cached_property
    def private_of_others(self) -> set[str]:
        """Names with a leading underscore that are not its own: read, replaced, imported, or reached for by text."""
        found: set[str] = set()
        for node in self.nodes:
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) not in OWN:
                found |= {ast.unparse(node)} if _is_private(node.attr) else set()
            elif isinstance(node, ast.ImportFrom):
                found |= {alias.name for alias in node.names if _is_private(alias.name)}
            elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in REACHING:
                found |= {text for text in map(_text, node.args) if _is_private(text)}
            elif isinstance(node, ast.Subscript) and ast.unparse(node.value).startswith("vars("):
                found |= {text for text in [_text(node.slice)] if _is_private(text)}
        return found - PRIVATE_BUT_MEANT

    @cached_property
    def ours(self) -> set[str]:
        """What it imports of this repository."""
        return {name for name in self.imported if name.split(".")[0] in {"functions", "infra", "shared", "tests"}}

    @cached_property
    def called(self) -> set[str]:
        """The last part of the name of each function that it calls by way of something else."""
        calls = [node.func for node in self.nodes if isinstance(node, ast.Call)]
        return {call.attr for call in calls if isinstance(call, ast.Attribute)}

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Everything in it."""
        return list(ast.walk(self.tree))


def _text(node: ast.AST) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _is_private(name: str) -> bool:
    last = name.rpartition(".")[2]
    return last.startswith("_") and not last.startswith("__") and last not in OF_NAMED_TUPLES


@cache
def sources(folder: str) -> list[Source]:
    """Every source of a folder, those of folders within it included."""
    return [
        Source(path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8")))
        for path in sorted((ROOT / folder).rglob("*.py"))
    ]


def domain() -> list[Source]:
    return sources("shared/domain")


def shipped() -> list[Source]:
    return sources("shared") + sources("functions")


def written() -> list[Source]:
    return shipped() + sources("infra")


def _height(module: str) -> tuple[int, int]:
    """How far up a module stands: the layer, and in the domain the room."""
    top, *rest = module.split(".")
    if top != "shared":
        return len(LAYERS) + 1, 0
    if rest[:1] == ["domain"]:
        return 0, ROOMS.index(rest[1]) if rest[1:] and rest[1] in ROOMS else 0
    return 1 + (LAYERS.index(rest[0]) if rest and rest[0] in LAYERS else 0), 0


def test_there_is_something_to_look_at() -> None:
    assert len(domain()) > 10
    assert len(shipped()) > 20
    assert len(written()) > 40


def test_the_rules_of_points_know_no_cloud_no_machine_and_no_clock() -> None:
    for source in domain():
        foreign = source.roots - set(sys.stdlib_module_names) - LIBRARIES
        assert foreign <= {"shared"}, source.name
        assert not source.roots & MACHINE, source.name
        assert "urllib.request" not in source.imported, source.name
        assert not source.attributes & CLOCKS, source.name
        assert not source.called & {"now", "utcnow", "today"}, source.name


def test_the_rules_of_points_lean_on_nothing_of_ours_but_one_another() -> None:
    for source in domain():
        assert not [name for name in source.ours if not f"{name}.".startswith("shared.domain.")], source.name


def test_imports_run_downward_only() -> None:
    for source in shipped():
        if source.name != STARTER:
            upward = [name for name in source.ours if _height(name) > _height(source.module)]
            assert not upward, f"{source.name} stands below {upward}"


def test_every_folder_that_ships_has_its_place_in_the_order() -> None:
    folders = {name.parent.relative_to(ROOT / "shared").as_posix() for name in (ROOT / "shared").rglob("*.py")}
    rooms = {f"domain/{room}" for room in ROOMS if room}
    assert folders == {".", "api/schemas", "aws", "domain", *LAYERS[1:], *rooms}


def test_points_and_money_are_never_floats() -> None:
    for source in domain():
        for node in source.nodes:
            is_float = isinstance(node, ast.Constant) and isinstance(node.value, float | complex)
            assert not is_float, f"{source.name}: {ast.unparse(node)}"
            is_named = isinstance(node, ast.Name) and node.id in {"float", "round"}
            assert not is_named, f"{source.name}: {ast.unparse(node)}"
            # Of two integers `/` makes a float; of a fraction and an integer it does not.
            divides = isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div)
            assert not divides or "fractions.Fraction" in source.imported, f"{source.name}: {ast.unparse(node)}"


def test_what_ships_leans_on_nothing_that_does_not() -> None:
    for source in shipped():
        assert not source.roots & {"infra", "tests", "moto", "ministack", "pytest"}, source.name
        assert not source.roots & REPORTS, f"{source.name} makes reports, and does not only read what was stored"


def test_no_product_code_leans_on_tests() -> None:
    for source in written():
        assert "tests" not in source.roots, source.name


def test_nobody_leans_on_a_function_but_who_wires_it() -> None:
    for source in shipped():
        assert "functions" not in source.roots, source.name


def test_infra_knows_the_functions_only_where_it_hosts_them() -> None:
    hosts = {source.name for source in sources("infra") if "functions" in source.roots | source.imported_by_text}
    assert hosts == HOSTS_FUNCTIONS


def test_nobody_fakes_a_request_to_reach_a_use_case() -> None:
    for source in sources("infra") + sources("functions"):
        attributes = [node for node in source.nodes if isinstance(node, ast.Attribute)]
        replaced = {node.attr for node in attributes if isinstance(node.ctx, ast.Store)}
        assert not replaced & {"context", "current_event"}, source.name


def test_each_service_of_the_cloud_is_spoken_to_in_its_place_alone() -> None:
    for source in shipped():
        calls = [node for node in source.nodes if isinstance(node, ast.Call)]
        made = [call for call in calls if ast.unparse(call.func) == "session.client"]
        services = {ast.literal_eval(call.args[0]) for call in made}
        assert services == SERVICES.get(source.name, set()), source.name
        assert ("shared.aws.session" in source.imported) == bool(services), source.name
        assert "boto3" not in source.roots, source.name
        assert "botocore.session" not in source.imported or source.name == "shared/aws/session.py", source.name


def test_every_function_has_its_row_of_permissions() -> None:
    written = {path.stem for path in (ROOT / "functions").glob("*.py")} - {"__init__"}
    assert written == set(NEEDS)


def test_only_tables_know_how_items_are_stored_and_asked_for() -> None:
    for source in shipped():
        if not source.name.startswith("shared/tables/"):
            texts = {node.value for node in source.nodes if isinstance(node, ast.Constant)}
            assert not texts & {"dynamodb.amazonaws.com", "pk = :pk"}, source.name
            calls = {ast.unparse(node.func) for node in source.nodes if isinstance(node, ast.Call)}
            assert "client.client" not in calls or source.name == STARTER, source.name
            arguments = {
                word.arg for node in source.nodes if isinstance(node, ast.Call) for word in node.keywords if word.arg
            }
            assert not arguments & {"KeyConditionExpression", "UpdateExpression", "ConditionExpression"}, source.name
            typed = [node for node in source.nodes if isinstance(node, ast.Dict) and len(node.keys) == 1]
            assert not [one for one in typed if ast.unparse(one).startswith(("{'S':", "{'N':", "{'BOOL':"))], (
                source.name
            )


def test_the_clouds_errors_are_understood_in_their_places_alone() -> None:
    for source in shipped():
        if source.name not in UNDERSTAND_FAILURES:
            assert "botocore.exceptions" not in source.imported, source.name


def test_time_and_chance_enter_in_their_places_alone() -> None:
    for source in shipped():
        if source.name not in TIME_AND_CHANCE:
            assert not source.attributes & CLOCKS, source.name
            assert not source.roots & CHANCE, source.name


def test_what_a_process_replaces_or_remembers_is_in_one_object() -> None:
    for source in written():
        assert not any(isinstance(node, ast.Global) for node in source.nodes), source.name
        assert not source.imported & {"unittest.mock", "pytest"}, source.name


def test_nothing_reaches_for_what_another_keeps_to_itself() -> None:
    for source in written():
        assert not source.private_of_others, source.name


@pytest.mark.parametrize(
    "line",
    [
        "clock._source = f",
        "del clock._source",
        "clock._source()",
        "setattr(clock, '_source', f)",
        "getattr(app, '_here')",
        "patch.object(clock, '_source', f)",
        "patch('shared.clock._source')",
        "from shared.clock import _source",
        "vars(clock)['_source'] = f",
    ],
)
def test_every_way_to_reach_there_is_known(line: str) -> None:
    assert Source("somewhere.py", ast.parse(line)).private_of_others


def test_ones_own_and_what_is_documented_may_be_reached() -> None:
    for line in ("self._kept = 1", "cls._made()", "row._asdict()", "super()._resolve()", "_own()", "os._exit(1)"):
        assert not Source("somewhere.py", ast.parse(line)).private_of_others, line


def test_the_environment_is_read_in_one_place() -> None:
    names = {"os.environ", "os.getenv"}
    for source in shipped():
        if source.name != "shared/settings.py":
            assert not (source.attributes | source.imported) & names, source.name


def test_a_function_fits_a_page() -> None:
    for source in written():
        for node in source.nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                assert lines < LINES_MAX, f"{source.name}: {node.name} has {lines} lines"


def test_nothing_reaches_out_of_the_repository() -> None:
    for source in written():
        prose = {node.value for node in source.nodes if isinstance(node, ast.Expr)}
        for node in source.nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in prose:
                assert not OUTSIDE.search(node.value), f"{source.name}: {node.value!r}"


def test_importing_what_ships_needs_no_environment_makes_no_client_and_loads_nothing_heavy() -> None:
    program = f"""
import importlib, sys
for name in {[source.module for source in shipped() if source.name != STARTER]}:
    importlib.import_module(name)
print(sorted({HEAVY | REPORTS | {"infra", "moto"}} & set(sys.modules)))
"""
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env={}, capture_output=True, text=True, check=False, timeout=60
    )
    assert (answer.returncode, answer.stdout.strip()) == (0, "[]"), answer.stderr
