"""Commands and the client for Python with a server of HTTPS: whom they trust."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent_task_tracker import Client, ClientError, Unreachable, Unverified
from tests.support.certificates import Pair
from tests.support.cli import run
from tests.support.platforms import needs_posix
from tests.support.server import KEY, Server


def stats(server: Server, *flags: str, **variables: str) -> tuple[int, str]:
    """Exit code of `tracker stats`, and what it says on standard error."""
    given = {"TRACKER_URL": server.url, "API_KEY": KEY, **variables}
    done = run("stats", *flags, home=server.folder, variables=given)
    assert (done.returncode == 0) == bool(done.stdout)
    return done.returncode, done.stderr.decode()


def test_a_certificate_that_nobody_vouches_for_is_one_clear_line(
    https: Server, pairs: dict[str, Pair]
) -> None:
    began = time.monotonic()
    for flags in ((), ("--ca-file", str(pairs["RSA"].certificate))):
        code, line = stats(https, *flags)
        assert (code, line.count("\n")) == (1, 1)
        assert line.startswith(f"tracker: {https.url}: the certificate cannot be verified: ")
        assert "--ca-file" in line
    assert time.monotonic() - began < 8, "it is no use to try again"


def test_who_vouches_is_named_by_flag_or_variable(https: Server, pairs: dict[str, Pair]) -> None:
    certificate = str(pairs["EC"].certificate)
    assert stats(https, "--ca-file", certificate) == (0, "")
    assert stats(https, TRACKER_CA_FILE=certificate) == (0, "")
    assert stats(https, SSL_CERT_FILE=certificate) == (0, "")
    localhost = https.url.replace("127.0.0.1", "localhost")
    assert stats(https, TRACKER_URL=localhost, TRACKER_CA_FILE=certificate) == (0, "")


def test_a_certificate_of_another_name(
    start_server: Callable[..., Server], pairs: dict[str, Pair]
) -> None:
    server = start_server(*pairs["elsewhere"].flags)
    code, line = stats(server, "--ca-file", str(pairs["elsewhere"].certificate))
    assert (code, line.count("\n")) == (1, 1)
    assert "use a name that is in it" in line


@pytest.mark.parametrize("content", [None, b"no certificate"])
def test_a_ca_file_that_is_none(https: Server, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    code, line = stats(https, "--ca-file", str(path))
    assert (code, line.count("\n")) == (1, 1)
    assert line.startswith(f"tracker: {path}: cannot be used as --ca-file: ")


def test_tls_where_there_is_none(server: Server) -> None:
    with pytest.raises(Unreachable, match="no TLS"):
        Client(server.url.replace("http", "https"), KEY, patience=0).health()


def test_the_client_for_python(https: Server, pairs: dict[str, Pair]) -> None:
    client = Client(https.url, KEY, ca_file=str(pairs["EC"].certificate))
    assert client.start("sdk", "T", "t", "a")["status"] == "started"
    with pytest.raises(Unverified, match="cannot be verified"):
        Client(https.url, KEY).health()
    with pytest.raises(ClientError, match="cannot be used as --ca-file"):
        Client(https.url, KEY, ca_file=str(pairs["EC"].key))


def test_the_kept_key_is_sent_after_its_proof(
    start_server: Callable[..., Server], pairs: dict[str, Pair]
) -> None:
    server = start_server(*pairs["EC"].flags, key=None)
    found = {
        "TRACKER_DB": str(server.database),
        "TRACKER_CA_FILE": str(pairs["EC"].certificate),
    }
    # Where it listens follows from the server's own settings.
    alike = {**found, "TRACKER_PORT": str(server.ready["port"])}
    alike["TRACKER_TLS_CERT"] = str(pairs["EC"].certificate)
    ready = {**found, "TRACKER_READY_FILE": str(server.folder / "ready.json")}
    for variables in ({**found, "TRACKER_URL": server.url}, alike, ready):
        done = run("stats", home=server.folder, variables=variables)
        assert (done.returncode, done.stderr) == (0, b""), variables
    done = run("doctor", home=server.folder, variables=alike)
    assert done.returncode == 0
    assert b"Nothing is wrong." in done.stdout
    assert b"WebSocket: works" in done.stdout
    del alike["TRACKER_CA_FILE"]
    done = run("doctor", home=server.folder, variables=alike)
    assert done.returncode == 69
    assert b"certificate cannot be verified" in done.stdout


@needs_posix
@pytest.mark.parametrize("ca_file", [True, False])
def test_a_env_with_address_and_key_says_who_vouches(
    https: Server, pairs: dict[str, Pair], tmp_path: Path, ca_file: bool
) -> None:
    lines = [f"TRACKER_URL={https.url}", f"API_KEY={KEY}"]
    lines += [f"TRACKER_CA_FILE={pairs['EC'].certificate}"] if ca_file else []
    (tmp_path / ".env").write_text("\n".join(lines))
    done = run("stats", home=tmp_path)
    assert (done.returncode, done.stderr == b"") == ((0, True) if ca_file else (1, False))
