"""What the executable is made of beside Python packages: found in the files themselves, by marks.

Libraries in C come with the interpreter and with packages, linked in or beside them; crates of Rust
by the lists that maturin puts into wheels; the documentation's viewers in a package of their files.
"""

import json
import re
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from tracker.cli.packages import Package

LICENSES = Path(__file__).parent / "licenses"


class Component(NamedTuple):
    """`mark`: what only a file with it has, its name and a line end first; `version`: likewise, in
    a group. `texts`: files of scripts/licenses/, `#` with a chapter of what CPython's documentation
    says of what it incorporates; `package:` with the end of a path of what is installed."""

    name: str
    license: str
    mark: bytes
    version: bytes = rb"(?!)"
    purl: str = "pkg:generic"
    texts: tuple[str, ...] = ()


_OPENSSL = rb"OpenSSL (%s\.\d+\.\d+[a-z]*)(?: +FIPS)? +\d+ \w{3} \d{4}"
COMPONENTS = (
    Component(
        "OpenSSL", "Apache-2.0", _OPENSSL % rb"3", _OPENSSL % rb"3", texts=("Apache-2.0.txt",)
    ),
    Component("OpenSSL", "OpenSSL", _OPENSSL % b"1", _OPENSSL % b"1", texts=("OpenSSL.txt",)),
    Component(
        *("SQLite", "blessing", b"SQLite format 3\0", rb"(?<![\d.])(3\.\d\d\.\d+)\0"),
        texts=("sqlite.txt",),
    ),
    Component("zlib", "Zlib", *[rb"deflate (\d+[\d.]+) Copyright"] * 2, texts=("#zlib",)),
    Component("Expat", "MIT", *[rb"expat_(\d+\.\d+\.\d+)"] * 2, texts=("#expat",)),
    Component("libffi", "MIT", rb"\A.*libffi|PyInit__ctypes\0", texts=("#libffi",)),
    Component(
        "libmpdec",
        "BSD-2-Clause",
        rb"PyInit__decimal\0",
        rb"\0([24]\.\d\.\d)\0",
        texts=("#libmpdec",),
    ),
    Component("HACL*", "MIT", rb"HACL|Hacl_", texts=("hacl.txt",)),
    Component("mimalloc", "MIT", rb"mimalloc: ", texts=("#mimalloc",)),
    Component(
        *("libuv", "MIT", rb"libuv|uv_loop_init", rb"\0(1\.\d+\.\d+)\0"), texts=("libuv.txt",)
    ),
    Component("llhttp", "MIT", rb"llhttp_", texts=("httptools:llhttp/LICENSE",)),
    Component("http-parser", "MIT", rb"http_parser_", texts=("httptools:http-parser/LICENSE-MIT",)),
    Component(
        *("libgcc", "GPL-3.0-or-later WITH GCC-exception-3.1", rb"\A.*libgcc_s"),
        texts=("GCC-exception-3.1.txt", "GPL-3.0.txt"),
    ),
    Component(
        *("swagger-ui", "Apache-2.0", *[rb'PACKAGE_VERSION:"([\d.]+)"'] * 2),
        *("pkg:npm", ("Apache-2.0.txt",)),
    ),
    Component(
        *("redoc", "MIT", rb"Redocly LLC", rb"\* Version: ([\d.]+)"), *("pkg:npm", ("redoc.txt",))
    ),
)


def is_looked_at(name: str) -> bool:
    """Whether a file may have components: a library, or a viewer's script."""
    return bool(re.search(r"\.(so|dll|pyd|dylib|js)\b", name))


def find(files: Iterable[tuple[str, bytes]]) -> list[Package]:
    """The components in these files, given by name and content; each version once."""
    found: dict[tuple[str, str], Package] = {}
    for name, content in files:
        named = name.encode() + b"\n" + content
        for component in COMPONENTS:
            if re.search(component.mark, named):
                match = re.search(component.version, named)
                version = match[1].decode() if match else ""
                found[component.name, version] = _package(component, version)
    return [found[key] for key in sorted(found)]


def crates(distributions: Iterable[metadata.Distribution]) -> Iterator[Package]:
    """What is compiled into these packages, by the lists that they bring (PEP 770)."""
    for distribution in distributions:
        for path in distribution.files or ():
            if ".dist-info/sboms/" in path.as_posix() and path.suffix == ".json":
                for one in json.loads(path.read_text(encoding="utf-8")).get("components", ()):
                    yield Package(
                        one["name"],
                        one["version"],
                        " AND ".join(map(_license, one.get("licenses", ()))) or "see its source",
                        f"Compiled into {distribution.name}, whose list names it.",
                        one.get("purl", "").split("?")[0],
                    )


def _license(choice: dict) -> str:
    return choice.get("expression") or choice["license"].get("id") or choice["license"]["name"]


def _package(component: Component, version: str) -> Package:
    texts = "\n\n".join(map(_text, component.texts))
    purl = f"{component.purl}/{component.name.lower().rstrip('*')}"
    return Package(
        component.name, version, component.license, texts, f"{purl}@{version}" if version else purl
    )


def _text(source: str) -> str:
    package, colon, end = source.rpartition(":")
    if colon:
        (path,) = (p for p in metadata.files(package) or () if p.as_posix().endswith(end))
        return path.read_text(encoding="utf-8").strip()
    if source.startswith("#"):
        chapters = (LICENSES / "cpython.rst").read_text(encoding="utf-8")
        title = re.escape(source[1:])
        return re.search(rf"(?ms)^{title}\n-+\n(.+?)(?=^[^\n]+\n-+\n|\Z)", chapters)[1].strip()
    return (LICENSES / source).read_text(encoding="utf-8").strip()
