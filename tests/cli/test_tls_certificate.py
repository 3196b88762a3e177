"""The server's certificate: what cannot be one, and its renewal."""

from __future__ import annotations

import os
import shutil
import ssl
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.support.certificates import Pair, make
from tests.support.cli import Terminal, run
from tests.support.platforms import needs_posix
from tests.support.raw import connect_plainly
from tests.support.server import KEY, Server, wait_for
from tests.support.subscriber import address, receive, subscribe_by_tls
from tracker.server.tls import Tls


@pytest.fixture
def pair(pairs: dict[str, Pair], tmp_path: Path) -> Pair:
    """This test's own copy, which it may replace."""
    folder = tmp_path / "pair"
    shutil.copytree(pairs["EC"].certificate.parent, folder)
    return Pair(folder / "cert.pem", folder / "key.pem")


def shown(server: Server) -> bytes:
    """The certificate that a new connection is shown."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with closing(connect_plainly(server)) as connection, context.wrap_socket(connection) as tls:
        return tls.getpeercert(binary_form=True) or b""


@pytest.mark.parametrize("kind", ["EC", "RSA"])
def test_a_new_certificate_is_for_new_connections(
    start_server: Callable[..., Server], pair: Pair, tmp_path: Path, kind: str
) -> None:
    server = start_server(*pair.flags)
    assert shown(server) == pair.der
    renewed = make(tmp_path / "renewed", kind)
    with subscribe_by_tls(server, address(server)) as subscriber:
        pair.put(renewed)
        wait_for(lambda: shown(server) == renewed.der)
        # Also to those who prefer the kind that the old one was of.
        assert {shown(server) for _ in range(5)} == {renewed.der}
        assert "the new certificate is in use" in server.log
        answer = httpx.post(
            f"{server.url}/webhook/start",
            json={"project": "goes on", "task": "T", "task_id": "t", "agent": "a"},
            headers={"X-API-Key": KEY},
            verify=renewed.trust,
            trust_env=False,
        )
        assert answer.status_code == 201
        (message,) = receive(subscriber, 1)
        assert message["data"]["project"] == "goes on"


def test_a_pair_that_cannot_be_used_is_said_once_and_left(
    start_server: Callable[..., Server], pair: Pair, pairs: dict[str, Pair]
) -> None:
    server = start_server(*pair.flags)
    old = pair.der
    shutil.copyfile(pairs["RSA"].key, pair.key)
    wait_for(lambda: "the old certificate stays in use" in server.log)
    assert shown(server) == old
    pair.certificate.unlink()
    wait_for(lambda: server.log.count("stays in use") == 2)
    assert shown(server) == old
    pair.put(pairs["RSA"])
    wait_for(lambda: shown(server) == pairs["RSA"].der)
    warnings_ = [line for line in server.log.splitlines() if "WARNING" in line]
    assert [("the key is not" in line, "cannot be read" in line) for line in warnings_] == [
        (True, False),
        (False, True),
    ]


def test_what_may_still_be_being_written_is_not_taken(
    pair: Pair, pairs: dict[str, Pair], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    tls = Tls(*pair)

    def said(looks: int) -> int:
        for _ in range(looks):
            tls.reload_if_changed()
        return len(caplog.records)

    assert said(looks=3) == 0
    shutil.copyfile(pairs["RSA"].key, pair.key)
    assert said(looks=1) == 0
    assert said(looks=1) == 1
    assert said(looks=3) == 1
    shutil.copyfile(pairs["RSA"].certificate, pair.certificate)
    assert said(looks=1) == 1
    assert said(looks=1) == 2
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


# What it refuses.


def refusal(home: Path, *flags: str) -> str:
    """The one line on standard error."""
    done = run("serve", "--port", "0", "--db", ":memory:", *flags, home=home)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (78, b"", 1)
    return done.stderr.decode()


@pytest.mark.parametrize("only", ["--tls-cert", "--tls-key"])
def test_both_or_neither(tmp_path: Path, only: str) -> None:
    line = refusal(tmp_path, only, "file.pem")
    assert "--tls-cert and --tls-key belong together" in line


@pytest.mark.parametrize(
    ("certificate", "key", "says"),
    [
        ("EC/cert", "RSA/key", "cannot be used with RSA/key.pem: the key is not the certificate's"),
        ("EC/cert", "elsewhere/key", "elsewhere/key.pem: the key is not the certificate's"),
        ("EC/none", "EC/key", "EC/none.pem: cannot be read as --tls-cert: No such file"),
        ("EC/cert", "EC/none", "EC/none.pem: cannot be read as --tls-key: No such file"),
        ("EC/key", "EC/cert", "EC/key.pem: cannot be used as --tls-cert: it holds no certificate"),
        ("EC/cert", "EC/cert", "EC/cert.pem: cannot be used as --tls-key: it holds no private key"),
        ("EC/half", "EC/key", "EC/half.pem: cannot be used with EC/key.pem: "),
        ("EC/cert", "locked/key", "locked/key.pem: cannot be used as --tls-key: it has a passphr"),
        ("EC", "EC/key", "EC: cannot be read as --tls-cert: this is no regular file"),
    ],
)
def test_what_cannot_be_used(
    tmp_path: Path, pairs: dict[str, Pair], certificate: str, key: str, says: str
) -> None:
    for kind in ("EC", "RSA", "elsewhere", "locked"):
        shutil.copytree(pairs[kind].certificate.parent, tmp_path / kind)
    text = pairs["EC"].certificate.read_text()
    (tmp_path / "EC" / "half.pem").write_text(text[:200] + "\n-----END CERTIFICATE-----\n")
    names = [name if name == "EC" else f"{name}.pem" for name in (certificate, key)]
    line = refusal(tmp_path, "--tls-cert", names[0], "--tls-key", names[1])
    assert says in line.replace(f"{tmp_path}/", "")


@needs_posix
def test_a_pipe_is_not_waited_for(tmp_path: Path, pairs: dict[str, Pair]) -> None:
    os.mkfifo(tmp_path / "pipe")
    flags = ("--tls-cert", "pipe", "--tls-key", str(pairs["EC"].key))
    assert "no regular file" in refusal(tmp_path, *flags)


@needs_posix
def test_nobody_is_asked_for_a_passphrase(tmp_path: Path, pairs: dict[str, Pair]) -> None:
    """OpenSSL would, on the terminal, and the server would wait."""
    flags = ("--port", "0", "--db", ":memory:", *pairs["locked"].flags)
    terminal = Terminal("serve", *flags, home=tmp_path)
    try:
        output = " ".join(terminal.read_all().split())
    finally:
        terminal.close()
    assert terminal.process.returncode == 78
    assert "it has a passphrase" in output
    assert "Enter PEM" not in output
