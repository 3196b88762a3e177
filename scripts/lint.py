"""Check style and types of this checkout: python3 scripts/lint.py."""

import os
import shutil
import subprocess
import sys

from _environment import ROOT, Environment, log, run_script

CHECKS = (("ruff", "check"), ("ruff", "format", "--check"), ("mypy",))
DASHBOARD = ROOT / "tracker" / "web" / "app"

# Parameters need no types: the dashboard is no place for four hundred declarations.
TYPESCRIPT = "typescript@7.0"
AS_CHECKED = (
    *("--noEmit", "--allowJs", "--checkJs", "--strict", "--noImplicitAny", "false"),
    *("--useUnknownInCatchVariables", "false", "--types", "", "--target", "esnext"),
    *("--module", "esnext", "--moduleResolution", "bundler", "--lib", "esnext,dom,dom.iterable"),
)


def find_typescript() -> list[str]:
    """Return the command to run it; empty without Node, or if npm cannot get it."""
    npx = shutil.which("npx")
    if npx is None:
        return []
    command = [npx, "--yes", "--prefer-offline", f"--package={TYPESCRIPT}", "tsc"]
    found = subprocess.run(
        [*command, "--version"],
        check=False,
        env={**os.environ, "npm_config_fetch_retries": "0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return [] if found.returncode else command


def dashboard_is_typed() -> bool:
    """Check the dashboard's modules, which need no Node themselves."""
    log("== tsc tracker/web/app")
    command = find_typescript()
    if not command:
        log("Not checked: that needs Node, and its registry the first time.")
        return True
    modules = [str(path.relative_to(ROOT)) for path in sorted(DASHBOARD.rglob("*.js"))]
    return subprocess.call([*command, *AS_CHECKED, *modules]) == 0


def main() -> None:
    """Run every check, also after one that failed."""
    environment = Environment()
    environment.ensure("lint")
    os.chdir(ROOT)
    failed = []
    for check in CHECKS:
        log("== " + " ".join(check))
        if subprocess.call([str(environment.python), "-m", *check]):
            failed.append(" ".join(check))
    if not dashboard_is_typed():
        failed.append("tsc tracker/web/app")
    if failed:
        log("Failed: " + ", ".join(failed))
        sys.exit(1)


if __name__ == "__main__":
    run_script(main)
