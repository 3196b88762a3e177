"""Content codings (RFC 9110, 8.4): of requests gzip, and zstd from Python 3.14 on; of answers gzip.

Requests are expanded no further than a body may be long, at a cost that is linear in what was sent.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, Protocol, cast

from tracker.api.request_head import RequestHead
from tracker.domain.limits import MAX_BODY_BYTES
from tracker.errors import BadRequest, Issue, PayloadTooLarge, UnsupportedContentCoding

# Bytes that are expanded at a time. What follows the end of a member is copied out of it each time.
_PART: Final = 16 * 1024

# Of gzip (RFC 1952, 2.2); frames of zstd. An empty one is 20 bytes, and takes as long as thousands.
_MAX_MEMBERS: Final = 100

# Characters. Browsers send 30; and who asks for a page needs no key.
_MAX_ACCEPT_ENCODING: Final = 500

_GZIP: Final = 16 + zlib.MAX_WBITS
_WEIGHT: Final = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")

# Of a window, in powers of two: 8 MiB, and no decoder has to take more (RFC 9659, 3).
_ZSTD_WINDOW_LOG: Final = 23


class _Decompressor(Protocol):
    """Of one member of gzip, or one frame of zstd."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class Coding(NamedTuple):
    """A way to compress a body."""

    name: str
    decompressor: Callable[[], _Decompressor]
    error: type[Exception]
    """What a decompressor raises."""


def _gzip() -> Coding:
    return Coding("gzip", lambda: zlib.decompressobj(wbits=_GZIP), zlib.error)


def _zstd() -> Coding | None:
    try:
        from compression import zstd  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415
    except ImportError:  # before Python 3.14
        return None
    options = {zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
    return Coding(
        "zstd",
        lambda: cast("_Decompressor", zstd.ZstdDecompressor(options=options)),
        zstd.ZstdError,
    )


CODINGS: Final[Mapping[str, Coding]] = {
    coding.name: coding for coding in (_gzip(), _zstd()) if coding is not None
}


def coding_of(head: RequestHead) -> Coding | None:
    """How the body is compressed; None: it is not. Raises UnsupportedContentCoding."""
    if head.get(b"content-encoding") is None:  # as nearly always
        return None
    names = [name.lower() for name in head.elements(b"content-encoding")]
    applied = [name for name in names if name != "identity"]
    if not applied:
        return None
    coding = CODINGS.get("gzip" if applied[0] == "x-gzip" else applied[0])  # RFC 9110, 8.4.1.3
    if coding is None or len(applied) > 1:
        raise UnsupportedContentCoding(
            f"Send the body plain, or compressed once by {' or '.join(CODINGS)}.",
            [Issue("Content-Encoding", f"This has to be {' or '.join(CODINGS)}")],
            tuple(CODINGS),
        )
    return coding


def expand(body: bytes, coding: Coding, limit: int = MAX_BODY_BYTES) -> bytes:
    """What was compressed.

    Raises:
        BadRequest: it is damaged, or not all of it is there.
        PayloadTooLarge: it is over the limit, up to which it was expanded.
    """
    expanded = bytearray()
    position = members = 0
    try:
        while position < len(body) or not members:
            members += 1
            if members > _MAX_MEMBERS:
                raise _damaged(coding, f"it has over {_MAX_MEMBERS} parts")
            member = coding.decompressor()
            while not member.eof:
                part = body[position : position + _PART]
                if not part:
                    raise _damaged(coding, "it ends too early")
                expanded += member.decompress(part, limit + 1 - len(expanded))
                position += len(part)
                if len(expanded) > limit:
                    message = f"The body is over {limit} bytes once expanded; send less."
                    raise PayloadTooLarge(message, [Issue("body", "Too large")])
            position -= len(member.unused_data)
    except coding.error:
        raise _damaged(coding, "it is damaged, or something else") from None
    return bytes(expanded)


def accepts_gzip(accept_encoding: str | None) -> bool:
    """Whether a client takes gzip, and does not like plain answers better (RFC 9110, 12.5.3)."""
    if accept_encoding is None or len(accept_encoding) > _MAX_ACCEPT_ENCODING:
        return False
    weights = dict(map(_weighted, accept_encoding.lower().split(",")))
    weight = weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0)))
    return weight > 0 and weight >= weights.get("identity", 0.0)


def gzip_quickly(body: bytes) -> bytes:
    """Compress an answer: JSON to a fifth, at 200 MB a second; the best is a seventh, at 40."""
    compressor = zlib.compressobj(1, wbits=_GZIP)
    return compressor.compress(body) + compressor.flush()


def gzip_once(content: bytes) -> bytes:
    """Compress what is sent again and again."""
    compressor = zlib.compressobj(9, wbits=_GZIP)
    return compressor.compress(content) + compressor.flush()


def _weighted(element: str) -> tuple[str, float]:
    """A coding and its weight; 0 for a weight that is none."""
    name, _, parameter = element.partition(";")
    weight = parameter.replace(" ", "").removeprefix("q=") or "1"
    return name.strip(), float(weight) if _WEIGHT.fullmatch(weight) else 0.0


def _damaged(coding: Coding, issue: str) -> BadRequest:
    return BadRequest(
        f"The body is not {coding.name}, as Content-Encoding says: {issue}.",
        [Issue("body", f"This has to be {coding.name}")],
    )
