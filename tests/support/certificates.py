"""Certificates of our own making, by the command `openssl`: none is kept with the code."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path
from typing import NamedTuple

KINDS = {
    "EC": ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
    "RSA": ("-newkey", "rsa:2048"),
}


class Pair(NamedTuple):
    """A certificate that vouches for itself, and its key."""

    certificate: Path
    key: Path

    @property
    def flags(self) -> tuple[str, ...]:
        return ("--tls-cert", str(self.certificate), "--tls-key", str(self.key))

    @property
    def trust(self) -> ssl.SSLContext:
        """That of a client who trusts this one and no other."""
        return ssl.create_default_context(cafile=str(self.certificate))

    @property
    def der(self) -> bytes:
        return ssl.PEM_cert_to_DER_cert(self.certificate.read_text())

    def put(self, other: Pair) -> None:
        """Replace both files by another pair's, each at once, as those who renew them do."""
        for old, new in zip(self, other, strict=True):
            copy = old.with_suffix(".new")
            shutil.copyfile(new, copy)
            copy.replace(old)


def make(
    folder: Path,
    kind: str = "EC",
    *,
    names: str = "DNS:localhost,IP:127.0.0.1",
    passphrase: str = "",
) -> Pair:
    """A pair in a new folder. `names`: what it vouches for."""
    folder.mkdir(parents=True)
    pair = Pair(folder / "cert.pem", folder / "key.pem")
    subprocess.run(
        [
            *("openssl", "req", "-x509", *KINDS[kind], "-days", "2", "-subj", "/CN=tracker test"),
            *(("-passout", f"pass:{passphrase}") if passphrase else ("-nodes",)),
            *("-addext", f"subjectAltName={names}"),
            *("-keyout", str(pair.key), "-out", str(pair.certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return pair
