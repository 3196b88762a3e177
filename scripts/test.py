"""Run the tests of this checkout: python3 scripts/test.py [options of pytest].

The browser tests need a Chromium: TRACKER_CHROMIUM names one; else one is looked for, and
installed where that can be done. Where Debian's build without windows lies beside it, that one is
taken: it needs half of the time. With TRACKER_REQUIRE_BROWSER=1 there has to be a browser, and that
build is installed where it can be. With -m "not browser" none is looked for.

The tests of agents need those agents' own programs, 1.3 GB from npm. With TRACKER_INSTALL_AGENTS=1
what is missing is installed, once for all checkouts of a user; else those tests are skipped.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from _environment import ROOT, Environment, SetupError, log, run_script

SHELL = "chromium-headless-shell"
COMMANDS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC_PROGRAMS = (
    "Chromium.app/Contents/MacOS/Chromium",
    "Google Chrome.app/Contents/MacOS/Google Chrome",
    "Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)
WINDOWS_PROGRAMS = (
    "Chromium/Application/chrome.exe",
    "Google/Chrome/Application/chrome.exe",
    "Microsoft/Edge/Application/msedge.exe",
)
INSTALL_SECONDS = 600
APT = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=120")
APT_INSTALL = (*APT, "install", "--yes", "--no-install-recommends")
# pytest's options that choose the workers themselves, and those to watch a single process with.
CHOOSE_WORKERS = ("-n", "--numprocesses", "--dist", "no:xdist", "-pno:xdist")
SINGLE_PROCESS = ("-s", "--capture=no", "--pdb", "--trace", "--collect-only", "--co")
PRINT_PLAYWRIGHT_CHROMIUM = """
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    print(playwright.chromium.executable_path)
"""


def xdist_options(arguments: list[str]) -> list[str]:
    """Choose the workers, unless the arguments ask for something else: two more than there are
    cores, for most tests wait for a server now and then."""
    for argument in arguments:
        if argument in SINGLE_PROCESS or argument.startswith(CHOOSE_WORKERS):
            return []
    # worksteal: browser tests take far longer than the others, so equal shares would not be.
    return ["-n", str((os.cpu_count() or 1) + 2), "--dist", "worksteal"]


def does_start(program: str) -> bool:
    """Return whether a browser runs: a snap's stub, or one without its libraries, does not."""
    if os.name == "nt":  # there --version opens a window
        return Path(program).is_file()
    return not try_command([program, "--version"], seconds=60)


def try_command(command: list[str], seconds: float) -> str:
    """Run a command without output; returns why it failed, or nothing."""
    try:
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        return f"took longer than {seconds} seconds"
    except OSError as error:
        return str(error)
    if done.returncode == 0:
        return ""
    errors = re.findall(r"^(?:E:|.*\berror\b).*", done.stdout, re.MULTILINE | re.IGNORECASE)
    return errors[0] if errors else f"exit code {done.returncode}"


def candidates(environment: Environment):
    """Yield where a Chromium may be, cheapest to find first."""
    for command in COMMANDS:
        yield shutil.which(command)
    if sys.platform == "darwin":
        yield from (f"/Applications/{program}" for program in MAC_PROGRAMS)
    for variable in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA"):
        if os.name == "nt" and os.environ.get(variable):
            yield from (f"{os.environ[variable]}/{program}" for program in WINDOWS_PROGRAMS)
    yield subprocess.run(
        [str(environment.python), "-c", PRINT_PLAYWRIGHT_CHROMIUM],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    ).stdout.strip()


def find_chromium(environment: Environment) -> str:
    """Return the first Chromium that starts, or nothing."""
    return next((path for path in candidates(environment) if path and does_start(path)), "")


def install_commands(environment: Environment) -> dict[str, list[list[str]]]:
    """List the ways to install a Chromium here, in the order to try them."""
    playwright = [str(environment.python), "-m", "playwright", "install", "--no-shell"]
    ways = {}
    if can_use_apt():
        # The package brings its libraries along, which a bare container lacks. Ubuntu's one is a
        # stub that wants a snap: there starts() turns it down, and playwright gets the libraries.
        ways["apt-get"] = [[*APT, "update"], [*APT_INSTALL, "chromium"]]
        playwright.append("--with-deps")
    ways["playwright"] = [[*playwright, "chromium"]]
    return ways


def can_use_apt() -> bool:
    """Return whether packages of Debian's kind can be installed."""
    return os.name != "nt" and os.geteuid() == 0 and shutil.which("apt-get") is not None


def provide_shell(chromium: str) -> str:
    """Return Debian's build without windows, if it lies beside the Chromium; else that itself."""
    shell = Path(chromium).with_name(SHELL)
    if not shell.exists() and os.environ.get("TRACKER_REQUIRE_BROWSER") and can_use_apt():
        log(f"Installing {SHELL} with apt-get (once) ...")
        # Without lists of packages, as in a container, the second time.
        if try_command([*APT_INSTALL, SHELL], INSTALL_SECONDS):
            try_command([*APT, "update"], INSTALL_SECONDS)
            try_command([*APT_INSTALL, SHELL], INSTALL_SECONDS)
    return str(shell) if shell.exists() and does_start(str(shell)) else chromium


def provide_chromium(environment: Environment) -> str:
    """Return the path of a Chromium, installed now if need be; raises SetupError if none can be."""
    chosen = os.environ.get("TRACKER_CHROMIUM", "")
    if chosen:
        if not does_start(chosen):
            raise SetupError(f"TRACKER_CHROMIUM={chosen} does not start.")
        return chosen
    found = find_chromium(environment)
    reasons = []
    for name, commands in install_commands(environment).items():
        if found:
            break
        log(f"Installing Chromium with {name} (once) ...")
        failures = [try_command(command, INSTALL_SECONDS) for command in commands]
        found = find_chromium(environment)
        reasons.append(f"{name}: {failures[-1] or 'what it installed does not start'}")
    if not found:
        raise SetupError(f"No Chromium found, and none could be installed ({'; '.join(reasons)}).")
    return found


def main() -> None:
    """Install what is missing, then become pytest."""
    environment = Environment()
    environment.ensure("test")
    arguments = sys.argv[1:]
    if "not browser" not in arguments:
        try:
            os.environ["TRACKER_CHROMIUM"] = provide_shell(provide_chromium(environment))
        except SetupError as error:
            if os.environ.get("TRACKER_REQUIRE_BROWSER") or os.environ.get("TRACKER_CHROMIUM"):
                raise
            log(f"{error} The browser tests will be skipped.")
    if os.environ.get("TRACKER_INSTALL_AGENTS") and "not agents" not in arguments:
        install = [str(environment.python), "-m", "tests.support.real_agents.programs"]
        subprocess.run(install, check=False, cwd=ROOT, stdin=subprocess.DEVNULL)
    os.chdir(ROOT)
    environment.run("-m", "pytest", *xdist_options(arguments), *arguments)


if __name__ == "__main__":
    run_script(main)
