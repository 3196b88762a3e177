"""Make an npm package of the client that servers hand out: scripts/package_npm.py [FOLDER].

FOLDER is dist/npm, if none is given: what `npm pack` and `npm publish` take.
"""

import json
import runpy
import shutil
import sys
import tomllib
from pathlib import Path

from _environment import ROOT, log, run_script

FILES = (
    ROOT / "tracker" / "web" / "client" / "client.js",
    ROOT / "tracker" / "web" / "client" / "client.d.ts",
    ROOT / "LICENSE",
)


def manifest() -> dict[str, object]:
    """The package.json: named, numbered and licensed as the project."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return {
        "name": project["name"],
        "version": runpy.run_path(str(ROOT / "tracker" / "__init__.py"))["__version__"],
        "description": "Reports tasks to Agent Task Tracker, and reads them.",
        "license": project["license"],
        "repository": {"type": "git", "url": f"git+{project['urls']['Repository']}.git"},
        "type": "module",
        "exports": {".": {"types": "./client.d.ts", "default": "./client.js"}},
        "types": "./client.d.ts",
        "files": ["client.js", "client.d.ts"],
        "engines": {"node": ">=20"},
        "sideEffects": False,
    }


def main() -> None:
    """Write the folder anew."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist" / "npm"
    folder.mkdir(parents=True, exist_ok=True)
    for file in FILES:
        shutil.copyfile(file, folder / file.name)
    text = json.dumps(manifest(), indent=2)
    (folder / "package.json").write_text(f"{text}\n", encoding="utf-8")
    log(f"Made {folder}")


if __name__ == "__main__":
    run_script(main)
