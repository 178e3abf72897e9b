"""Packages that were made to import each of their modules when it is first asked for."""

import subprocess
import sys
from pathlib import Path

import pytest

from infra.cloud.build.lazy_packages import make_lazy

INIT = '''"""Many things."""
from many.heavy import Heavy
from .light import Light, SMALL as TINY
from .same import same

__all__ = ["Heavy", "Light", "TINY", "same"]
'''
ASKS = """
import sys
import many.same
from many import Light, TINY
print(Light.__name__, TINY, many.same(), "many.heavy" in sys.modules)
print(many.Heavy.__name__, "many.heavy" in sys.modules)
print(hasattr(many, "other"))
from many import *
print(same())
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    package = tmp_path / "many"
    package.mkdir()
    (package / "__init__.py").write_text(INIT)
    (package / "heavy.py").write_text("class Heavy: pass\n")
    (package / "light.py").write_text("SMALL = 1\nclass Light: pass\n")
    (package / "same.py").write_text("def same(): return 'called'\n")
    return package


def test_a_module_is_imported_when_it_is_first_asked_for(package: Path) -> None:
    make_lazy(package)
    done = subprocess.run(
        [sys.executable, "-c", ASKS], cwd=package.parent, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines() == ["Light 1 called False", "Heavy True", "False", "called"]


def test_a_package_that_does_more_than_import_is_left_as_it_is(package: Path) -> None:
    with (package / "__init__.py").open("a") as file:
        file.write("print('hello')\n")
    before = (package / "__init__.py").read_text()
    with pytest.raises(ValueError, match="line 7: does more than import"):
        make_lazy(package)
    assert (package / "__init__.py").read_text() == before
