"""Runs the code blocks of a README in order, as its reader would.

Runs in a copy of the checkout whose `.venv` is ready, with a home directory of its own. Three
things in a block are changed, because a test can have none of them: `tracker connect` wants an
executable that is there to stay, and is told that this one will do; `localhost:8000` becomes the
address of the server that the first block started (and TRACKER_PORT says so to commands, which look
there by themselves); and `/home/you` the home directory.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
import tomllib
import venv
from collections.abc import Callable
from pathlib import Path

import httpx
import websockets.sync.client
from dotenv import dotenv_values

from tests.support.markdown import ROOT, Block
from tests.support.server import wait_for
from tracker.auth import keys
from tracker.config.settings import SETTINGS, Settings, load
from tracker.config.variables import DotEnv, filter_dotenv

BLOCK_SECONDS = 60
OUTPUT = ("text", "json")
INSTALLERS = ("uvx", "pipx", "pip")
PROXIED_HOST = "tracker.example.com"


class Checkout:
    """A copy of this checkout with a `.venv` that scripts/ find ready; nothing is downloaded."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("agent_task_tracker", "scripts", "tests", "tracker"):
            shutil.copytree(ROOT / folder, root / folder)  # compiled files too: they save time
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy2(ROOT / name, root / name)
        self.only_test = root / "tests" / "test_copy.py"
        self.only_test.write_text("def test_of_the_copy() -> None:\n    assert __file__\n")
        self.bin = root / ".venv" / "bin"
        venv.create(root / ".venv", symlinks=True)
        self._borrow_packages()
        self._note_as_installed()
        self._write_command("tracker", f'exec "{self.bin}/python" -P -m tracker "$@"')
        self._write_command("make", "echo all green")
        for name in INSTALLERS:
            self._write_command(name, f'echo "$@" >> "{root}/{name}-calls"')

    def calls_of(self, installer: str) -> list[str]:
        """What it was asked for; it did none of it."""
        calls = self.root / f"{installer}-calls"
        return calls.read_text().splitlines() if calls.exists() else []

    def _borrow_packages(self) -> None:
        base = {"base": str(self.root / ".venv"), "platbase": str(self.root / ".venv")}
        site = Path(sysconfig.get_path("purelib", "venv", base))
        ours = sysconfig.get_path("purelib")
        (site / "borrowed.pth").write_text(f"{self.root}\n{ours}\n", encoding="utf-8")

    def _note_as_installed(self) -> None:
        sys.path.append(str(ROOT / "scripts"))
        try:
            script = importlib.import_module("_environment")
        finally:
            sys.path.remove(str(ROOT / "scripts"))
        environment = script.Environment(self.root)
        pyproject = tomllib.loads((self.root / "pyproject.toml").read_text(encoding="utf-8"))
        wanted = environment.fingerprints(pyproject, ["test"])
        environment.stamp.write_text(json.dumps(wanted))
        assert environment.is_ready(wanted)

    def _write_command(self, name: str, line: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)


class Terminal:
    """A command on a terminal, so that it prints what it prints for people."""

    def __init__(self, arguments: list[str], cwd: Path, env: dict[str, str]) -> None:
        import pty  # Windows has none, but has to collect these tests

        ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            arguments, cwd=cwd, env=env, stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        self._output = b""
        self._reader = threading.Thread(target=self._read, args=(ours,), daemon=True)
        self._reader.start()

    @property
    def output(self) -> str:
        return self._output.decode().replace("\r\n", "\n")

    def wait_for(self, text: str) -> None:
        """Wait until it has printed `text`."""

        def printed() -> bool:
            assert text in self.output or self.process.poll() is None, self.output
            return text in self.output

        wait_for(printed, BLOCK_SECONDS, f"{text!r} in {self.output!r}")

    def interrupt(self) -> int:
        """Ctrl-C; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(BLOCK_SECONDS)

    def _read(self, descriptor: int) -> None:
        try:
            while data := os.read(descriptor, 65_536):
                self._output += data
        except OSError:  # Linux's end of file, once the last process on the terminal has ended
            pass
        finally:
            os.close(descriptor)


class Walk:
    """The state of one reader: their shell's variables, their servers."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        self.checkout = Checkout(folder / "checkout")
        self.servers: list[Terminal] = []
        self.ports: list[int] = []
        self._variables = folder / "variables.sh"
        self._variables.touch()
        self._rules: dict[str, Callable[[Block, Block | None], None]] = {
            "sh": self._shell,
            "python": self._python,
            "dotenv": self._dotenv,
            "nginx": self._nginx,
        }

    @property
    def languages(self) -> set[str]:
        """What it can do, besides comparing output."""
        return set(self._rules)

    def take(self, block: Block, expected: Block | None) -> None:
        """Do what a block says; `expected` is the output that the README shows under it."""
        self._rules[block.language](block, expected)

    def end(self) -> None:
        """Stop the servers, as Ctrl-C would."""
        codes = [server.interrupt() for server in self.servers]
        assert codes == [0] * len(codes), [server.output for server in self.servers]

    def substitute(self, text: str) -> str:
        """`text` with the address and the home directory of this walk."""
        if self.ports:
            text = re.sub(r"(localhost|127\.0\.0\.1):8000", rf"\1:{self.ports[0]}", text)
        text = re.sub(r"(tracker connect [a-z-]+)$", r"\1 --anyway", text, flags=re.MULTILINE)
        return text.replace("/home/you", str(self.home))

    # The rules. Each fails if the block does not do what the README says.

    def _shell(self, block: Block, expected: Block | None) -> None:
        if block.code.startswith("python3 scripts/serve.py") and block.code.count("\n") == 1:
            self._server(block, expected)
        elif "curl -N" in block.code:
            self._endless(block, expected)
        else:
            # Not -e: the shell of a reader goes on too, but here any failure counts.
            script = f"trap 'exit 90' ERR\n{self.substitute(block.code)}"
            script += f"\nexport -p > {self._variables}"
            self._compare(block, self._run(block, script), expected)

    def _server(self, block: Block, expected: Block | None) -> None:
        """The first is the one of the whole README; others must not want its port and database."""
        variables = {"TRACKER_PORT": "0"} | ({"TRACKER_DB": ":memory:"} if self.servers else {})
        server = self._terminal(f"exec {block.code}", **variables)
        self.servers.append(server)
        server.wait_for("Ctrl-C")
        port = re.search(r"http://127\.0\.0\.1:(\d+)\n", server.output)
        assert port, server.output
        self.ports.append(int(port[1]))
        self._compare(block, server.output, expected)

    def _endless(self, block: Block, expected: Block | None) -> None:
        assert expected, f"{block.where}: a stream needs its output below, or it never ends here"
        reader = self._terminal(f"exec {self.substitute(block.code)}")
        try:
            last = _plain(self.substitute(expected.code)).strip().splitlines()[-1]
            wait_for(lambda: last in _plain(reader.output), BLOCK_SECONDS, reader.output)
            assert _plain(self.substitute(expected.code)).strip() in _plain(reader.output)
        finally:
            reader.interrupt()

    def _python(self, block: Block, expected: Block | None) -> None:
        script = self.checkout.root / "example.py"
        script.write_text(self.substitute(block.code), encoding="utf-8")
        self._compare(block, self._run(block, f"exec python3 {script}"), expected)

    def _dotenv(self, block: Block, _expected: Block | None) -> None:
        file = self.checkout.root / "example.env"
        file.write_text(block.code, encoding="utf-8")
        values = dotenv_values(file)
        assert values.keys() <= {setting.variable for setting in SETTINGS}, block.where
        given = {name: value for name, value in values.items() if value is not None}
        trusted, ignored = filter_dotenv(DotEnv(self.checkout.root, given), {}, {})
        assert ignored == [], block.where
        settings = load({}, {}, trusted)
        assert settings != Settings()
        keys.check(settings)

    def _nginx(self, block: Block, _expected: Block | None) -> None:
        """There is no nginx here: what it would send, by these lines, is sent without it."""
        directives = dict(re.findall(r"^\s*(proxy_\w+(?: [A-Z]\w+)?) +(.+);$", block.code, re.M))
        default = Settings()
        assert directives == {
            "proxy_pass": f"http://{default.host}:{default.port}",
            "proxy_http_version": "1.1",
            "proxy_set_header Host": "$http_host",
            "proxy_set_header Upgrade": "$http_upgrade",
            "proxy_set_header Connection": '"upgrade"',
        }
        port = self.ports[-1]
        headers = {"Host": PROXIED_HOST, "Connection": "upgrade"}
        page = f"http://127.0.0.1:{port}/"
        answer = httpx.get(page, headers=headers, trust_env=False)
        assert answer.status_code == 200, answer.text
        refused = httpx.get(page, headers={"Host": "other.example"}, trust_env=False)
        assert refused.status_code == 400, "the server takes any Host"
        key = self._run(block, 'printf %s "$API_KEY"')
        with (
            socket.create_connection(("127.0.0.1", port)) as connection,
            websockets.sync.client.connect(
                f"ws://{PROXIED_HOST}/ws?api_key={key}",
                sock=connection,
                origin=websockets.Origin(f"https://{PROXIED_HOST}"),
                proxy=None,
            ) as browser,
        ):
            browser.send('{"type":"ping"}')
            assert json.loads(browser.recv(timeout=BLOCK_SECONDS))["type"] == "pong"

    # What they share.

    def _environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "PATH": f"{self.checkout.bin}{os.pathsep}{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            # scripts/test.py does all of its work, but on one test: not on these once more.
            "PYTEST_ADDOPTS": str(self.checkout.only_test),
            # Where commands look for a server if nothing says otherwise.
            **({"TRACKER_PORT": str(self.ports[0])} if self.ports else {}),
            "TRACKER_CHROMIUM": shutil.which("true") or "",
        }

    def _shell_command(self, script: str) -> list[str]:
        """Bash, with the variables that earlier blocks have exported."""
        return ["bash", "-c", f". {self._variables}\n{script}"]

    def _terminal(self, script: str, **variables: str) -> Terminal:
        exports = "".join(f"export {name}={value}\n" for name, value in variables.items())
        command = self._shell_command(exports + script)
        return Terminal(command, self.checkout.root, self._environment())

    def _run(self, block: Block, script: str) -> str:
        done = subprocess.run(
            self._shell_command(script),
            check=False,
            cwd=self.checkout.root,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=BLOCK_SECONDS,
        )
        assert done.returncode == 0, f"{block.where}: {done.returncode}\n{done.stdout}{done.stderr}"
        assert '"error":{"code"' not in done.stdout, f"{block.where}: {done.stdout}"
        return done.stdout

    def _compare(self, block: Block, output: str, expected: Block | None) -> None:
        if expected is None:
            return
        shown = _plain(self.substitute(expected.code))
        if expected.language == "json":
            assert json.loads(_plain(output)) == json.loads(shown), block.where
        else:
            assert _plain(output).strip() == shown.strip(), block.where


def _plain(text: str) -> str:
    """Without what differs from one run to the next: times and keys."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "2024-01-15T10:00:00.000Z", text)
    return re.sub(r"#key=\S+", "#key=KEY", text)
