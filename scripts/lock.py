"""Lock what executable and container are made of and development uses: python3 scripts/lock.py.

Writes requirements-GROUP.txt for the groups below: for every system and Python, the newest versions
that pyproject.toml allows of the project's dependencies, the group's and all that they need, with
the hashes of their files. What stands in several of them has one version in all.
"""

import subprocess

from _environment import ROOT, Environment, run_script
from _python import MINIMUM

GROUPS = ("build", "lint", "run", "test", "web", "wheel")
# Without the comments that say who needs what: they would name the constraints' path.
OPTIONS = ("--universal", "--quiet", "--no-emit-index-url", "--no-annotate", "--no-config")
TOGETHER = ROOT / "build" / "locked-together.txt"


def main() -> None:
    """Run uv, whose lock is one for all systems; pip's own is for the one that it runs on."""
    environment = Environment()
    environment.ensure("lock")
    compile_ = [str(environment.python), "-m", "uv", "pip", "compile", *OPTIONS]
    compile_ += ["--python-version", "{}.{}".format(*MINIMUM), "pyproject.toml"]
    compile_ += ["--custom-compile-command", "python3 scripts/lock.py"]
    TOGETHER.parent.mkdir(exist_ok=True)
    groups = [option for group in GROUPS for option in ("--group", group)]
    together = [*compile_, *groups, "--upgrade", "--output-file", str(TOGETHER)]
    subprocess.run(together, check=True, cwd=environment.root)
    for group in GROUPS:
        command = [*compile_, "--group", group, "--constraint", str(TOGETHER), "--upgrade"]
        command += ["--generate-hashes", "--output-file", environment.pins(group).name]
        subprocess.run(command, check=True, cwd=environment.root)


if __name__ == "__main__":
    run_script(main)
