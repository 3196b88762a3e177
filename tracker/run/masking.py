"""Takes out of texts what looks like a key, a token or a password.

What is masked: the value of a name that says so (`--token X`, `API_KEY=X`, `password: X`), what
stands after `Authorization:`, the password in an address, tokens that are known by their beginning,
private keys, and the values of environment variables with such names, wherever they appear. It
cannot know every secret: `--private` tells nothing at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from shlex import quote
from typing import Final

MASK: Final = "***"
_UNQUOTED: Final = "%%masked%%"

# Shorter values of variables are words (`true`, `1234`) that would be masked in every sentence.
_SHORTEST: Final = 8

_NAME: Final = (
    r"(?:token(?!s|iz)|secret|passw(?:or)?d|passphrase|[-_]pwd|(?:api|access|private|auth|account"
    r"|encryption|signing|secret)[-_.]?key|credentials?|authorization|cookie(?!s)|bearer|jwt)"
)

_IS_SECRET: Final = re.compile(rf"{_NAME}|(?:^|[-_.])(?:auth|key|pass)$", re.IGNORECASE)

_VALUE: Final = r"""(?:"[^"\n]*"?|'[^'\n]*'?|[^\s"'&,;)}\]]+)"""

_PATTERNS: Final = (
    # Whole blocks first.
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END|\Z)", re.DOTALL), MASK),
    (re.compile(r"(?i)(\b(?:proxy-)?authorization[\"']?\s*[:=]\s*)[^\n\"']+"), rf"\1{MASK}"),
    (re.compile(r"(?i)(\bcookie:\s*)[^\n\"']+"), rf"\1{MASK}"),
    (re.compile(r"(?i)(\b(?:bearer|basic)\s+)[A-Za-z0-9+/=._~-]{8,}"), rf"\1{MASK}"),
    (re.compile(r"(\b[a-zA-Z][a-zA-Z0-9+.-]{0,30}://[^\s:/@]*):[^\s/@]+@"), rf"\1:{MASK}@"),
    (
        re.compile(rf"""(?i)({_NAME}[\w-]{{0,32}}["']?\s?(?:=>|[:=])\s?){_VALUE}"""),
        rf"\1{MASK}",
    ),
    (re.compile(r"""((?:^|[\s"'])\w{0,64}_KEY=)[^\s"']+"""), rf"\1{MASK}"),
    (re.compile(rf"(?i)(?<=\s)(--?[\w-]{{0,64}}{_NAME}\s+){_VALUE}"), rf"\1{MASK}"),
    (
        re.compile(
            r"\b(?:gh[opsur]_|github_pat_|glpat-|glrt-|sk-|sk_live_|rk_live_|xox[abeoprs]-|xapp-"
            r"|att_|npm_|pypi-|hf_|AKIA|ASIA|AIza|ya29\.|dop_v1_|shpat_|SG\.)[A-Za-z0-9_.-]{12,}"
        ),
        MASK,
    ),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"), MASK),
)


class Masking:
    """Masks what looks like a secret, and the values of variables whose names say so."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        values = {
            value.strip()
            for name, value in environment.items()
            if _IS_SECRET.search(name) and len(value.strip()) >= _SHORTEST
        }
        # Longest first: one may begin with another.
        known = sorted(values, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def text(self, text: str) -> str:
        """`text` with secrets masked."""
        if self._known:
            text = self._known.sub(MASK, text)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text

    def command(self, words: Sequence[str]) -> str:
        """A command line as a shell would read it, with secrets masked."""
        shown: list[str] = []
        hidden = is_user = False
        for word in words:
            text = MASK if hidden else self._word(word)
            if is_user and not hidden:  # curl's
                text = re.sub(r"(?s)^([^:]*):.*", rf"\1:{MASK}", text)
            shown.append(text)
            is_option = word.startswith("-") and "=" not in word
            hidden = is_option and not hidden and bool(_IS_SECRET.search(word))
            is_user = word in ("-u", "--user", "--proxy-user")
        # Nobody takes it for a pattern that has to be quoted.
        return " ".join(quote(text.replace(MASK, _UNQUOTED)) for text in shown).replace(
            _UNQUOTED, MASK
        )

    def _word(self, word: str) -> str:
        name, equals, _ = word.partition("=")
        if equals and re.fullmatch(r"[\w.-]+", name) and _IS_SECRET.search(name):
            return f"{name}={MASK}"
        return self.text(word)
