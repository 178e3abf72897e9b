"""What ships to Lambda besides our own code, as a CycloneDX document: the pinned packages with their hashes.

It is read off the pins alone, so it is the same on every machine, and the same again for the same pins. The tool
`cyclonedx-py requirements` reads pins too, but leaves out which package needs which, gives a component no hashes of its
own, and names a registry for each.
"""

import json
import re
import uuid
from importlib.metadata import version
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

PINS = Path(__file__).parents[1] / "requirements.txt"
NAME = "loyalty-functions"

_PIN = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>\S+) \\\n(?P<rest>(?:    .+\n)+)", re.MULTILINE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_VIA = re.compile(r"^    #(?: via|  ) ([\w.-]+)", re.MULTILINE)


def document(pins: str) -> str:
    """The CycloneDX 1.6 JSON of pins as pip-compile writes them.

    A component's hashes are those of every file that may be installed as it: one for each platform.
    """
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_OID, pins))
    root = Component(name=NAME, version=version(NAME), type=ComponentType.APPLICATION, bom_ref=NAME)
    bom.metadata.component = root
    packages: dict[str, Component] = {}
    needed_by: dict[str, list[str]] = {}
    for pin in _PIN.finditer(pins):
        name = pin["name"]
        packages[name] = _package(name, pin["version"], _HASH.findall(pin["rest"]))
        needed_by[name] = _VIA.findall(pin["rest"])
    bom.components.update(packages.values())
    for component in (root, *packages.values()):
        bom.register_dependency(component, [packages[one] for one in packages if component.name in needed_by[one]])
    written = json.loads(JsonV1Dot6(bom).output_as_string())
    # When it was written says nothing: the pins say what it is of.
    del written["metadata"]["timestamp"]
    return json.dumps(written, indent=2)


def _package(name: str, version: str, hashes: list[str]) -> Component:
    purl = PackageURL("pypi", name=name, version=version)
    digests = [HashType(alg=HashAlgorithm.SHA_256, content=one) for one in hashes]
    return Component(name=name, version=version, purl=purl, bom_ref=str(purl), hashes=digests)
