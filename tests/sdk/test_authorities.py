"""Whom https trusts where OpenSSL's own place does not exist: an executable on another system."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent_task_tracker.authorities import client_context
from tests.support.certificates import Pair
from tests.support.server import Server


@pytest.fixture(autouse=True)
def _no_place_of_openssl(monkeypatch: pytest.MonkeyPatch) -> None:
    """To OpenSSL a variable that is empty is a place that does not exist; to us, none."""
    monkeypatch.setenv("SSL_CERT_FILE", "")
    monkeypatch.setenv("SSL_CERT_DIR", "")
    monkeypatch.setattr(
        ssl,
        "get_default_verify_paths",
        lambda: ssl.DefaultVerifyPaths(
            None, None, "SSL_CERT_FILE", "/nowhere/cert.pem", "SSL_CERT_DIR", "/nowhere/certs"
        ),
    )


def trusts(server: Server, bundles: Sequence[Path]) -> bool:
    context = client_context(bundles=map(str, bundles))
    with socket.create_connection((server.ready["host"], server.ready["port"])) as plain:
        try:
            context.wrap_socket(plain, server_hostname="localhost").close()
        except ssl.SSLCertVerificationError:
            return False
        return True


def test_the_first_known_place_that_has_certificates(
    https: Server, pairs: dict[str, Pair], tmp_path: Path
) -> None:
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_bytes(b"\0")
    folder_and_missing = [tmp_path, tmp_path / "missing.pem", rubbish]
    ours, other = pairs["EC"].certificate, pairs["RSA"].certificate
    assert trusts(https, [*folder_and_missing, ours])
    assert not trusts(https, [*folder_and_missing, other, ours])
    assert not trusts(https, folder_and_missing)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_what_a_variable_names_is_all(
    https: Server, pairs: dict[str, Pair], monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(pairs["RSA"].certificate))
    assert not trusts(https, [pairs["EC"].certificate])


def test_openssls_own_folder_is_all_if_it_finds_anything_there(
    https: Server, pairs: dict[str, Pair], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bundle = tmp_path / "ca-bundle.crt"  # as on Fedora: not under a hash
    bundle.write_bytes(pairs["RSA"].certificate.read_bytes())
    paths = ssl.get_default_verify_paths()._replace(openssl_capath=str(tmp_path))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    assert trusts(https, [pairs["EC"].certificate])
    bundle.rename(tmp_path / "0a1b2c3d.0")
    assert not trusts(https, [pairs["EC"].certificate])
