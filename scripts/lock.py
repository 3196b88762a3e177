"""Lock what the executable is built of: python3 scripts/lock.py.

Writes requirements-build.txt: for every system, the newest versions that pyproject.toml allows of
the project's dependencies, PyInstaller and all that they need, with the hashes of their files.
"""

import subprocess

from _environment import Environment, run_script
from _python import MINIMUM

OPTIONS = ("--universal", "--generate-hashes", "--upgrade", "--quiet", "--no-emit-index-url")


def main() -> None:
    """Run uv, whose lock is one for all systems; pip's own is for the one that it runs on."""
    environment = Environment()
    environment.ensure("lock")
    command = [str(environment.python), "-m", "uv", "pip", "compile", *OPTIONS]
    command += ["--no-config", "--custom-compile-command", "python3 scripts/lock.py"]
    command += ["--python-version", "{}.{}".format(*MINIMUM), "--group", "build", "pyproject.toml"]
    output = environment.pins("build").name
    subprocess.run([*command, "--output-file", output], check=True, cwd=environment.root)


if __name__ == "__main__":
    run_script(main)
