"""Look into what scripts/build.py has built: contents.py SBOM NAME VERSION [--release].

Prints which glibc the Linux files need, refuses what `tracker licenses` does not name, and writes
the list of contents for machines (CycloneDX 1.6), valid by its schema. A release may need no newer
glibc than RHEL 8 has. Run by the build's environment.

ELF is read by pyelftools, from memory: what is in the one file need not be unpacked for objdump.
"""

import io
import json
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import components
from _environment import SetupError, log, run_script
from build import DIST, IN_FOLDER, ONE_FILE, epoch
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection
from packageurl import PackageURL
from PyInstaller.archive.readers import CArchiveReader

# RHEL 8, Debian 10, Ubuntu 18.10 and all that is newer.
NEWEST_GLIBC = (2, 28)

# What is linked with relocations packed like this starts from here on (a name without a number).
_NAMED = {"GLIBC_ABI_DT_RELR": (2, 36)}

# PyInstaller's letters for files that are unpacked.
_UNPACKED = "bx"


def members(program: Path) -> Iterator[tuple[str, bytes]]:
    """The files inside the one file, or of the folder around the program; with the program."""
    yield program.name, program.read_bytes()
    archive = CArchiveReader(str(program))
    for name, (*_, kind) in archive.toc.items():
        if kind in _UNPACKED:
            yield name, archive.extract(name)
    for path in program.parent.joinpath("_internal").rglob("*"):
        if path.is_file():
            yield path.name, path.read_bytes()


def glibc(content: bytes) -> tuple[int, ...]:
    """The newest version of glibc that an ELF file asks for; () if none."""
    needed: tuple[int, ...] = ()
    for section in ELFFile(io.BytesIO(content)).iter_sections():
        if isinstance(section, GNUVerNeedSection):
            for _, versions in section.iter_versions():
                for version in versions:
                    number = re.fullmatch(r"GLIBC_(\d+(?:\.\d+)+)", version.name)
                    found = tuple(map(int, number[1].split("."))) if number else ()
                    needed = max(needed, found or _NAMED.get(version.name, ()))
    return needed


def check_glibc(program: Path, *, is_release: bool) -> None:
    """Print what is needed. Raises SetupError: more than a release may."""
    needed = [(glibc(of), name) for name, of in members(program) if of.startswith(b"\x7fELF")]
    version, by = max(needed, default=((), ""))
    number = ".".join(map(str, version))
    what = f"glibc {number}, by {by}" if number else "no glibc"
    log(f"{program.relative_to(DIST)} needs {what}")
    if is_release and version > NEWEST_GLIBC:
        raise SetupError(f"{by} needs glibc {number}: a release runs from 2.28 on.")


def check_components(program: Path, listed: set[str]) -> None:
    """Raises SetupError: something is in there that is not listed."""
    files = ((name, of) for name, of in members(program) if components.is_looked_at(name))
    missing = {one.name for one in components.find(files)} - listed
    if missing:
        raise SetupError(f"`tracker licenses` does not name {', '.join(sorted(missing))}.")


def sbom(name: str, version: str, packages: list[dict[str, str]]) -> str:
    """The list as JSON. The same contents make the same text."""
    licenses = LicenseFactory()
    root = Component(name=name, version=version, type=ComponentType.APPLICATION, bom_ref="root")
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_URL, json.dumps([name, packages])))
    bom.metadata.component = root
    bom.metadata.timestamp = datetime.fromtimestamp(epoch(), UTC)
    parts = [
        Component(
            name=package["name"],
            version=package["version"] or None,
            type=ComponentType.LIBRARY,
            licenses=[licenses.make_from_string(package["license"])],
            purl=PackageURL.from_string(package["purl"]),
            bom_ref=package["purl"],
        )
        for package in {one["purl"]: one for one in packages}.values()
    ]
    bom.components.update(parts)
    bom.register_dependency(root, parts)
    schema = SchemaVersion.V1_6
    text = make_outputter(bom, OutputFormat.JSON, schema).output_as_string(indent=2)
    problem = JsonStrictValidator(schema).validate_str(text)
    if problem:
        raise SetupError(f"The list of contents is not valid: {problem}")
    return text + "\n"


def main() -> None:
    """Check both forms, then write the list."""
    path, name, version, *flags = sys.argv[1:]
    done = subprocess.run([IN_FOLDER, "licenses", "--json"], check=True, stdout=subprocess.PIPE)
    packages = [json.loads(line) for line in done.stdout.decode("utf-8").splitlines()]
    for program in (ONE_FILE, IN_FOLDER):
        if sys.platform == "linux":
            check_glibc(program, is_release="--release" in flags)
        check_components(program, {package["name"] for package in packages})
    Path(path).write_text(sbom(name, version, packages), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    run_script(main)
