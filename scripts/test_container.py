"""Build the container and try it: scripts/test_container.py [--base IMAGE] [--tag TAG].

Needs Linux, root and buildah, but no daemon. The image is run as `docker run --read-only --user
UID:0 -v VOLUME:/data` would: in a mount namespace whose root cannot be written, as a user whom
nobody knows, and only /data kept.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from _environment import ROOT, SetupError, log, run_script

SECONDS = 30
# What a container's runtime adds to the image before it starts anything.
ENTER = """
root=$1; volume=$2; user=$3; shift 3
mount --bind "$root" "$root"
for file in hosts resolv.conf; do
    [ -e "$root/etc/$file" ] || : > "$root/etc/$file"
    mount --bind "/etc/$file" "$root/etc/$file"
done
mount -o remount,bind,ro "$root"
mount --bind "$volume" "$root/data"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
exec chroot --userspec="$user:0" "$root" sh -c 'cd /data && exec "$@"' - "$@"
"""


def buildah(*arguments: str) -> str:
    """Run buildah; returns what it printed."""
    command = ["buildah", *arguments]
    done = subprocess.run(command, check=False, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SetupError(f"{' '.join(command)} failed.")
    return done.stdout.strip()


class Container:
    """A root made of an image, the image's settings, a volume, and a user of no name."""

    def __init__(self, root: str, config: dict, volume: Path) -> None:
        self.user = random.randrange(1_000_000, 2_000_000_000)
        self.config = config
        volume.chmod(0o2770)
        self._enter = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", ENTER, "-"]
        self._enter += [root, str(volume), str(self.user)]
        self._environment = dict(line.split("=", 1) for line in config["Env"])
        self._environment["TRACKER_PORT"] = "0"  # this machine's network has others too

    def start(self, *command: str) -> subprocess.Popen:
        """Start a command in it."""
        arguments = [*self._enter, *command]
        return subprocess.Popen(arguments, env=self._environment, stdout=subprocess.PIPE, text=True)

    def run(self, *command: str) -> tuple[int, str]:
        """Run a command in it; returns its exit code and what it printed."""
        process = self.start(*command)
        output = process.communicate(timeout=SECONDS)[0]
        return process.returncode, output

    @contextmanager
    def serving(self):
        """Serve, until the health check says so; then end it as a runtime does."""
        server = self.start(*self.config["Entrypoint"], *self.config["Cmd"])
        try:
            deadline = time.monotonic() + SECONDS
            while not self.is_healthy():
                if server.poll() is not None or time.monotonic() > deadline:
                    raise SetupError("The server does not become healthy.")
            yield
        finally:
            server.terminate()
            code = server.wait(SECONDS)
        expect(code == 0, f"SIGTERM ends the server with {code}")
        expect(not self.is_healthy(), "it is healthy without a server")

    def is_healthy(self) -> bool:
        """Ask as the runtime would."""
        check = self.config["Healthcheck"]["Test"]
        expect(check[0] == "CMD", "the health check needs a shell")
        return self.run(*check[1:-1], "1")[0] == 0


def expect(what: bool, otherwise: str) -> None:
    """Refuse the image."""
    if not what:
        raise SetupError(f"The container is not right: {otherwise}.")


def try_image(container: Container) -> None:
    """Serve, report, serve again, read; write nowhere but in the volume."""
    config = container.config
    expect(config["User"].split(":")[0] not in ("", "0", "root"), "it runs as root")
    expect(list(config["Volumes"]) == ["/data"], "it has other volumes than /data")
    task = ("--project", "p", "--task", "In a container", "--agent", "a")
    with container.serving():
        expect(container.run("tracker", "start", *task)[0] == 0, "a report is not taken")
        expect(container.run("touch", "/outside")[0] != 0, "its root can be written")
    with container.serving():
        listed = container.run("tracker", "ls", "--tasks", "--json")[1]
        expect("In a container" in listed, f"its task is gone: {listed}")
    names = set(container.run("ls", "-A", "/data")[1].split())
    expect("ready.json" not in names and "tracker.db" in names, f"/data has {sorted(names)}")
    owners = set(container.run("stat", "-c", "%u", "/data/tracker.db")[1].split())
    expect(owners == {str(container.user)}, f"the database belongs to {owners}")


def main() -> None:
    """Build, then try."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--base", help="instead of the Dockerfile's")
    parser.add_argument("--tag", default="localhost/agent-task-tracker")
    given = parser.parse_args()
    if os.geteuid() or not shutil.which("buildah"):
        raise SetupError("This needs root, and buildah.")
    base = ["--build-arg", f"BASE={given.base}"] if given.base else []
    log(f"Building {given.tag} ...")
    network = ["--network", "host", "--isolation", "chroot"]
    buildah("build", "--layers", "--format", "docker", "--quiet", *network, *base, "-t", given.tag)
    container = buildah("from", "--pull-never", given.tag)
    try:
        described = json.loads(buildah("inspect", "--type", "image", given.tag))
        root = buildah("mount", container)
        with tempfile.TemporaryDirectory() as volume:
            try_image(Container(root, described["Docker"]["config"], Path(volume)))
    finally:
        buildah("rm", container)
    log(f"{given.tag} is right.")


if __name__ == "__main__":
    run_script(main)
