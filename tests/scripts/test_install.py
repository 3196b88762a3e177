"""install.sh, against a server of releases on this machine."""

from __future__ import annotations

import hashlib
import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.markdown import ROOT

pytestmark = pytest.mark.skipif(os.name == "nt", reason="it is for POSIX shells")

INSTALL = ROOT / "install.sh"
SYSTEMS = {"Linux": "linux", "Darwin": "macos"}
MACHINES = {"aarch64": "arm64", "amd64": "x86_64"}
SYSTEM = SYSTEMS.get(platform.system(), "")
MACHINE = MACHINES.get(platform.machine().lower(), platform.machine().lower())
NAME = f"agent-task-tracker-1.2.3-{SYSTEM}-{MACHINE}"
# What an installation has at least, wherever it is; and one of the programs that fetch.
NEEDED = (
    "cat",
    "chmod",
    "cut",
    "grep",
    "gzip",
    "head",
    "mkdir",
    "mktemp",
    "mv",
    "rm",
    "tar",
    "uname",
)


class Release(ThreadingHTTPServer):
    """A server of what a release consists of."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.broken_off: set[str] = set()
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/releases"

    def put(
        self, folder: str = "latest/download", program: str = "echo 1.2.3", **sums: str
    ) -> None:
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w:gz") as packed:
            code = f"#!/bin/sh\n{program}\n".encode()
            entry = tarfile.TarInfo(f"{NAME}/tracker")
            entry.size, entry.mode = len(code), 0o755
            packed.addfile(entry, io.BytesIO(code))
        data = archive.getvalue()
        digest = sums.get("digest", hashlib.sha256(data).hexdigest())
        listed = (
            f"{'0' * 64}  agent-task-tracker-1.2.3-plan9-mips.tar.gz\n{digest}  {NAME}.tar.gz\n"
        )
        self.files[f"/releases/{folder}/{NAME}.tar.gz"] = data
        self.files[f"/releases/{folder}/SHA256SUMS"] = sums.get("listed", listed).encode()


class Handler(BaseHTTPRequestHandler):
    server: Release

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        data = self.server.files.get(self.path)
        self.send_response(404 if data is None else 200)
        self.send_header("Content-Length", str(len(data or b"")))
        self.end_headers()
        if data and self.path.rpartition("/")[2] in self.server.broken_off:
            data = data[: len(data) // 2]
        self.wfile.write(data or b"")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def release() -> Iterator[Release]:
    with Release() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Machine:
    """A user's home, and the programs that there are."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home of a user"
        self.home.mkdir()
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.installed = self.home / ".local/bin/tracker"

    def have(self, *programs: str) -> None:
        for name in programs:
            found = shutil.which(name)
            if not found and sys.platform != "linux":
                pytest.skip(f"no {name} here")
            assert found, name
            (self.bin / name).symlink_to(found)

    def install(self, *arguments: str, shell: str = "sh") -> subprocess.CompletedProcess[str]:
        program = shutil.which(shell)
        assert program
        command = [program, "sh"] if shell == "busybox" else [program]
        done = subprocess.run(
            [*command, str(INSTALL), *arguments],
            check=False,
            env={"HOME": str(self.home), "PATH": str(self.bin), "no_proxy": "*"},
            capture_output=True,
            text=True,
            timeout=60,
        )
        # Whatever became of it, nothing lies about.
        left = [path.name for path in self.home.rglob("*") if path.is_file()]
        assert left in ([], ["tracker"])
        return done


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.have(*NEEDED, *(name for name in ("ldd",) if shutil.which(name)))
    return machine


@pytest.mark.parametrize("fetches", ["curl", "wget"])
@pytest.mark.parametrize("compares", ["sha256sum", "shasum", "openssl"])
def test_it_installs_what_the_sums_say(
    machine: Machine, release: Release, fetches: str, compares: str
) -> None:
    machine.have(fetches, compares)
    if compares == "shasum":
        machine.have("perl")
    release.put()
    done = machine.install("--from", release.address)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Installed: {machine.installed} (1.2.3)" in done.stdout
    assert f'export PATH="{machine.installed.parent}:$PATH"' in done.stdout
    assert os.access(machine.installed, os.X_OK)
    assert release.asked == [
        f"/releases/latest/download/{name}" for name in ("SHA256SUMS", f"{NAME}.tar.gz")
    ]


@pytest.mark.parametrize("shell", [*filter(shutil.which, ["dash", "bash", "busybox"])])
def test_another_release_into_another_folder(
    machine: Machine, release: Release, shell: str, tmp_path: Path
) -> None:
    machine.have("curl", "sha256sum")
    release.put("download/v1.2.3")
    folder = tmp_path / "a folder"
    for version in ("1.2.3", "v1.2.3"):
        given = ("--version", version, "--to", str(folder), "--from", f"{release.address}/")
        done = machine.install(*given, shell=shell)
        assert (done.returncode, done.stderr) == (0, "")
        assert (folder / "tracker").exists()
        assert not machine.installed.exists()


@pytest.mark.parametrize(
    ("put", "says"),
    [
        ({"digest": "a" * 64}, "is not what the release says"),
        ({"listed": f"{'0' * 64}  agent-task-tracker-1.2.3-plan9-mips.tar.gz\n"}, "no executable"),
        ({"listed": ""}, "no executable"),
        ({"listed": f"{'0' * 63}  {NAME}.tar.gz\n"}, "no executable"),
        ({"listed": f"{'0' * 64}  ../{NAME}.tar.gz\n"}, "no executable"),
        ({"program": "exit 1"}, "does not start here"),
    ],
)
def test_what_is_not_right_is_not_installed(
    machine: Machine, release: Release, put: dict[str, str], says: str
) -> None:
    machine.have("curl", "sha256sum")
    machine.installed.parent.mkdir(parents=True)
    machine.installed.write_text("the one before")
    release.put(**put)
    done = machine.install("--from", release.address)
    assert done.returncode == 1
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert machine.installed.read_text() == "the one before"


@pytest.mark.parametrize("fetches", ["curl", "wget"])
@pytest.mark.parametrize("broken_off", ["SHA256SUMS", f"{NAME}.tar.gz"])
def test_a_download_that_breaks_off_installs_nothing(
    machine: Machine, release: Release, fetches: str, broken_off: str
) -> None:
    machine.have(fetches, "sha256sum")
    release.put()
    release.broken_off = {broken_off}
    done = machine.install("--from", release.address)
    assert done.returncode == 1
    assert f"{broken_off} cannot be fetched, or not to its end" in done.stderr
    assert not machine.installed.exists()


def test_a_script_that_breaks_off_does_nothing(machine: Machine, release: Release) -> None:
    """Piped into a shell, it is run as it comes."""
    machine.have("curl", "sha256sum")
    release.put()
    text = INSTALL.read_text(encoding="utf-8")
    whole = text.replace("RELEASES=https", f"RELEASES={release.address} #")
    for length in range(0, whole.rindex("main"), 997):
        done = subprocess.run(
            ["/bin/sh", "-s"],
            check=False,
            env={"HOME": str(machine.home), "PATH": str(machine.bin)},
            input=whole[:length].encode(),
            capture_output=True,
            timeout=60,
        )
        assert b"Installed" not in done.stdout
    assert release.asked == []


@pytest.mark.parametrize(
    ("programs", "says"),
    [
        (["sha256sum"], "neither curl nor wget is here"),
        (["curl"], "none of sha256sum, shasum, openssl is here"),
    ],
)
def test_a_machine_that_lacks_a_program(
    machine: Machine, release: Release, programs: list[str], says: str
) -> None:
    machine.have(*programs)
    release.put()
    done = machine.install("--from", release.address)
    assert done.returncode == 1
    assert says in done.stderr
    assert not machine.installed.exists()


@pytest.mark.parametrize(
    ("system", "says"), [("OpenBSD x86_64", "OpenBSD"), ("Linux riscv64", "riscv64")]
)
def test_a_machine_for_which_there_is_none(
    machine: Machine, release: Release, system: str, says: str
) -> None:
    machine.have("curl", "sha256sum")
    name, kind = system.split()
    (machine.bin / "uname").unlink()
    (machine.bin / "uname").write_text(f"#!/bin/sh\n[ $1 = -s ] && echo {name} || echo {kind}\n")
    (machine.bin / "uname").chmod(0o755)
    release.put()
    done = machine.install("--from", release.address)
    assert done.returncode == 1
    assert f"there is no executable for {says}; try: pipx install agent-task-tracker" in done.stderr
    assert release.asked == []


def test_a_release_of_another_version_is_not_installed(machine: Machine, release: Release) -> None:
    machine.have("curl", "sha256sum")
    release.put("download/v1.2.4")
    done = machine.install("--version", "1.2.4", "--from", release.address)
    assert done.returncode == 1
    assert f"has another version: {NAME}.tar.gz" in done.stderr
    assert not machine.installed.exists()


@pytest.mark.parametrize(("name", "code"), [("HUP", 129), ("TERM", 143)])
def test_nothing_is_left_of_what_a_signal_ends(machine: Machine, name: str, code: int) -> None:
    fetches = machine.bin / "curl"
    fetches.write_text(f"#!/bin/sh\nkill -{name} $PPID\n")
    fetches.chmod(0o755)
    assert machine.install().returncode == code
    assert list(machine.installed.parent.iterdir()) == []


def test_a_folder_of_its_name_stays(machine: Machine, release: Release) -> None:
    machine.have("curl", "sha256sum")
    machine.installed.mkdir(parents=True)
    done = machine.install("--from", release.address)
    assert (done.returncode, done.stderr.count("\n"), release.asked) == (1, 1, [])
    assert list(machine.installed.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="others have one C library")
def test_a_machine_of_another_c_library_gets_no_file_for_glibc(
    machine: Machine, release: Release
) -> None:
    machine.have("curl", "sha256sum")
    (machine.bin / "ldd").unlink(missing_ok=True)
    (machine.bin / "ldd").write_text("#!/bin/sh\necho 'musl libc (x86_64)' >&2\nexit 1\n")
    (machine.bin / "ldd").chmod(0o755)
    release.put()
    done = machine.install("--from", release.address)
    assert done.returncode == 1
    assert f"no executable for linux-musl-{MACHINE}" in done.stderr


@pytest.mark.parametrize("arguments", [["--nope"], ["--to"], ["--version", ""], ["1.2.3"]])
def test_wrong_usage_is_told(machine: Machine, arguments: list[str]) -> None:
    done = machine.install(*arguments)
    assert done.returncode == 2
    assert "Usage: install.sh" in done.stderr
