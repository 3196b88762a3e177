"""The authorities that the system trusts, wherever it keeps their certificates.

OpenSSL looks in one place, which was compiled in: in an executable, that of the system that it was
built on. Which certificates there are is for the system's administrator, so none come with us.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Final

# A file of all certificates, by system, as Go's crypto/x509 knows them.
BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Alpine, NixOS
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL, Amazon Linux
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # where the one before has gone
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # macOS, Alpine, OpenBSD, FreeBSD
    "/usr/local/etc/ssl/cert.pem",  # FreeBSD
    "/etc/openssl/certs/ca-certificates.crt",  # NetBSD
)

# A certificate in a folder, under the hash by which OpenSSL finds it.
_HASHED: Final = re.compile(r"[0-9a-f]{8}\.\d+")


def client_context(
    ca_file: str | None = None, *, bundles: Iterable[str] = BUNDLES
) -> ssl.SSLContext:
    """A context that verifies servers. `ca_file`: whom it trusts, in PEM, instead of those whom the
    system trusts: of SSL_CERT_FILE and SSL_CERT_DIR, else of OpenSSL's own place, else of the first
    of `bundles` that there is. Raises OSError: `ca_file` has no certificate."""
    context = ssl.create_default_context(cafile=ca_file)
    if ca_file or _trusts_any(context):
        return context
    for bundle in bundles:
        try:
            context.load_verify_locations(bundle)
        except OSError:  # not there, or of no use; ssl.SSLError too
            continue
        break
    return context


def _trusts_any(context: ssl.SSLContext) -> bool:
    paths = ssl.get_default_verify_paths()
    chosen = (paths.openssl_cafile_env, paths.openssl_capath_env)
    if any(map(os.environ.get, chosen)) or context.cert_store_stats()["x509_ca"]:
        return True
    try:
        return any(_HASHED.fullmatch(entry.name) for entry in Path(paths.openssl_capath).iterdir())
    except OSError:
        return False
