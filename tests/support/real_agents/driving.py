"""Runs an agent as its user would, without a terminal or on one: in a home and a project of its
own, with nothing of the developer's environment, and no way out to the network."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tests.support.real_agents.model import Model
from tests.support.server import wait_for

RUN_SECONDS = 60

# Escape sequences of a terminal's output; and what programs ask a terminal, with its answers.
SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()].|[=>78])")
QUESTIONS = {b"\x1b[6n": b"\x1b[1;1R", b"\x1b[c": b"\x1b[?62;c"}


class Done(NamedTuple):
    """The outcome of a run. `seconds` of wall time."""

    code: int
    output: str
    errors: str
    seconds: float


class Agent:
    """One agent, set up but for its hooks. Subclasses say how each of them is."""

    name: str
    model_type: type[Model]

    def __init__(self, program: Path, folder: Path, model: Model) -> None:
        self.program = program
        self.model = model
        self.home = folder / "home"
        self.project = self.home / "app"
        self.project.mkdir(parents=True)
        git = ["git", "-c", "init.defaultBranch=main", "init", "--quiet"]
        subprocess.run([*git, str(self.project)], check=True)
        (self.project / "main.py").write_text("print('hello')\n", encoding="utf-8")
        self.set_up()

    def set_up(self) -> None:
        """Write its configuration."""
        raise NotImplementedError

    def variables(self) -> dict[str, str]:
        """Its part of the environment."""
        raise NotImplementedError

    def headless(self, prompt: str, *options: str) -> list[str]:
        """The command that does one turn and ends. Nothing needs a permission."""
        raise NotImplementedError

    def interactive(self, *options: str) -> list[str]:
        """The command for a terminal. Commands need a permission."""
        raise NotImplementedError

    def write(self, path: str, text: str) -> None:
        """A file in the home."""
        file = self.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
        return {
            **kept,
            **{"HOME": str(self.home), "LANG": "C.UTF-8", "TERM": "xterm-256color"},
            # What asks for more than the model gets no answer: the port is nobody's.
            **{"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"},
            **{"NO_PROXY": "127.0.0.1,localhost"},
            **self.variables(),
        }

    def start(self, prompt: str, *options: str) -> subprocess.Popen[str]:
        """Begin a turn without a terminal."""
        return subprocess.Popen(
            self.headless(prompt, *options),
            cwd=self.project,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, prompt: str, *options: str) -> Done:
        """Do a turn without a terminal."""
        return finish(self.start(prompt, *options))

    def interrupted(self, prompt: str) -> Done:
        """Begin a turn whose model holds its answer, and press Ctrl-C when that was asked."""
        process = self.start(prompt)
        try:
            self.model.wait_until_held()
        finally:
            process.send_signal(signal.SIGINT)
        return finish(process)

    def on_terminal(self, *options: str) -> Terminal:
        """Start it on a terminal."""
        return Terminal(self, self.interactive(*options))


def finish(process: subprocess.Popen[str]) -> Done:
    """Wait for it, and end what it left behind."""
    began = time.monotonic()
    try:
        output, errors = process.communicate(timeout=RUN_SECONDS)
    finally:
        end_group(process)
    return Done(process.returncode, output, errors, time.monotonic() - began)


def end_group(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    """End it and all of its children that are left."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(RUN_SECONDS)
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


class Terminal:
    """An agent on a terminal of its own, until the end of the block."""

    def __init__(self, agent: Agent, command: list[str]) -> None:
        import pty
        import termios

        self._descriptor, terminal = pty.openpty()
        termios.tcsetwinsize(terminal, (40, 120))
        self.process = subprocess.Popen(
            command,
            cwd=agent.project,
            env=agent.environment(),
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        self._output = b""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        end_group(self.process)
        self._reader.join(RUN_SECONDS)
        os.close(self._descriptor)

    @property
    def text(self) -> str:
        """What it has shown so far, without the sequences that place and colour it."""
        return SEQUENCE.sub(" ", self._output.decode("utf-8", "replace"))

    def wait_for(self, condition: Callable[[], object], what: str, seconds: float = 30) -> None:
        """Until the condition holds. Fails with what the terminal shows."""

        def holds() -> bool:
            ended = self.process.poll() is not None
            if condition():
                return True
            assert not ended, f"ended before {what}: {self.text[-2000:]}"
            return False

        try:
            wait_for(holds, seconds, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.text[-2000:]}") from None

    def wait_for_text(self, text: str) -> None:
        self.wait_for(lambda: text in self.text, repr(text))

    def press(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())

    def press_until_shown(self, keys: str, text: str) -> None:
        """Press them, again if need be: keys are lost on what has only just been drawn."""
        for _ in range(5):
            before = len(self.text)
            self.press(keys)
            with suppress(AssertionError):
                self.wait_for(lambda at=before: text in self.text[at:], repr(text), 5)
                return
        raise AssertionError(f"never showed {text!r}: {self.text[-2000:]}")

    def say(self, text: str) -> None:
        """Type a prompt and send it: as keys apart, for a text with its Enter is a paste."""
        self.press(text)
        self.wait_for_quiet()
        self.press("\r")

    def wait_for_quiet(self, seconds: float = 0.4) -> None:
        """Until it has drawn nothing for so long: what it shows is all there, and it listens."""
        drawn, since = len(self._output), time.monotonic()

        def is_quiet() -> bool:
            nonlocal drawn, since
            if len(self._output) != drawn:
                drawn, since = len(self._output), time.monotonic()
            return time.monotonic() - since >= seconds

        self.wait_for(is_quiet, "quiet")

    def wait(self) -> int:
        """Its exit code, when it has ended."""
        return self.process.wait(RUN_SECONDS)

    def _read(self) -> None:
        with suppress(OSError):  # how Linux reports the end of a terminal
            while part := os.read(self._descriptor, 65_536):
                self._output += part
                for question, answer in QUESTIONS.items():
                    os.write(self._descriptor, answer * part.count(question))
