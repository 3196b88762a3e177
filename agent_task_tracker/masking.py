"""Takes out of texts what looks like a key, a token or a password.

What is masked: the value of a name that says so (`--token X`, `API_KEY=X`, `password: X`), what
stands after `Authorization:`, the password in an address, tokens that are known by their beginning,
private keys, and the values of environment variables with such names, wherever they appear. It
cannot know every secret: `--private` tells nothing at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from agent_task_tracker.light_typing import Final, NamedTuple

MASK: Final = "***"
_UNQUOTED: Final = "%%masked%%"

# Shorter values of variables are words (`true`, `1234`) that would be masked in every sentence.
_SHORTEST: Final = 8

_NAME: Final = (
    r"(?:token(?!s|iz)|secret|passw(?:or)?d|passphrase|[-_]pwd|(?:api|access|private|auth|account"
    r"|encryption|signing|secret)[-_.]?key|credentials?|authorization|cookie(?!s)|bearer|jwt)"
)

_IS_SECRET: Final = rf"(?i){_NAME}|(?:^|[-_.])(?:auth|key|pass)$"

# Also in JSON inside of a text, where quotes have backslashes.
_VALUE: Final = (
    r"""(?:"(?:[^"\\\n]|\\.)*"?|\\+"[^"\n]*"?|\\*'[^'\n]*'?|[^\s"'\\&,;)}\]][^\s"'&,;)}\]]*)"""
)
# The end of a variable's name, and what may stand there without quotes: all that is no space.
_VARIABLE: Final = (
    r"(?:TOKEN(?!S|IZ)|SECRET|PASSW(?:OR)?D|CREDENTIALS?|JWT|_PASS|_PWD|_KEY)[A-Z0-9_]{0,32}"
)
_WORD: Final = r"""[^\s"'\\]+"""

_SPACE: Final = r"(?:[ \t]{0,8}|\s)"
_QUOTE: Final = r"""(?:\\*["'])?"""

# Where a token may begin: after no letter or digit, unless these end an escape or a colour.
_BEGIN: Final = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt])|(?<=[0-9]m))"

BEGIN_KEY: Final = r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----"
END_KEY: Final = "-----END"


class _Rule(NamedTuple):
    """`hints`: one of them is in every text that the pattern fits, in lower case. Compiling and
    searching what cannot be found would take most of a hook's time."""

    hints: tuple[str, ...]
    pattern: str
    replacement: str


_NAMES: Final = (
    *("token", "secret", "passw", "passphrase", "pwd", "key", "credential", "authorization"),
    *("cookie", "bearer", "jwt"),
)

_PREFIXES: Final = (
    *("sk_test_", "rk_test_", "whsec_", "dckr_pat_", "ATATT", "AGE-SECRET-KEY-1"),
    *("gho_", "ghp_", "ghs_", "ghu_", "ghr_", "github_pat_", "glpat-", "glrt-", "sk-", "sk_live_"),
    *("rk_live_", "xoxa-", "xoxb-", "xoxe-", "xoxo-", "xoxp-", "xoxr-", "xoxs-", "xapp-", "att_"),
    *("npm_", "pypi-", "hf_", "AKIA", "ASIA", "AIza", "ya29.", "dop_v1_", "shpat_", "SG."),
)

_EQUALS: Final = r"(?:=>|:=|\?=|[:=])"

_RULES: Final = (
    # Whole blocks first; such a block in base64.
    _Rule(("private key",), rf"(?s){BEGIN_KEY}.*?(?:{END_KEY}|\Z)", MASK),
    _Rule(("ls0tls1crudjti",), r"LS0tLS1CRUdJTi[A-Za-z0-9+/=]+", MASK),
    _Rule(
        ("authorization",),
        r"(?i)(\b(?:proxy-)?authorization[\"']?\s*[:=]\s*)[^\n\"'\\]+",
        rf"\1{MASK}",
    ),
    _Rule(("cookie",), r"(?i)(\bcookie:\s*)[^\n\"']+", rf"\1{MASK}"),
    _Rule(("bearer", "basic"), r"(?i)(\b(?:bearer|basic)\s+)[A-Za-z0-9+/=._~-]{8,}", rf"\1{MASK}"),
    _Rule(("://",), r"([a-zA-Z][a-zA-Z0-9+.-]{0,30}://[^\s:/@]*):[^\s/\"'<>]+@", rf"\1:{MASK}@"),
    # A token in place of the user.
    _Rule(("://",), r"(://)[\w.~%-]{20,}(?=(?::[^\s/\"'<>@]*)?@)", rf"\1{MASK}"),
    _Rule(
        ("hooks.slack.com", "/api/webhooks/"),
        r"(hooks\.slack\.com/(?:services|workflows|triggers)/|/api/webhooks/)[\w/-]+",
        rf"\1{MASK}",
    ),
    _Rule(
        ("signature=", "sig=", "key=", "code=", "auth=", "pwd=", "pass="),
        r"(?i)([?&](?:[\w-]{0,32}signature|sig|key|code|auth|pwd|pass)=)[^\s\"'&#<>\\]+",
        rf"\1{MASK}",
    ),
    # YAML: a block of lines; XML; a name and its value side by side, as Kubernetes has them.
    _Rule(
        ("|\n", ">\n", "|-\n", ">-\n", "|+\n", ">+\n"),
        rf"(?i)({_NAME}[\w-]{{0,32}}{_QUOTE}:[ \t]{{1,8}}[|>][-+]?\n)(?:[ \t]+\S[^\n]*(?:\n|\Z))+",
        rf"\1  {MASK}\n",
    ),
    _Rule(("</",), rf"(?i)(<[\w:.-]{{0,64}}{_NAME}[\w.-]{{0,32}}>)[^<]+(?=</)", rf"\1{MASK}"),
    _Rule(
        ("value",),
        rf"(?i)(\b(?:name|key){_QUOTE}{_SPACE}[:=]{_SPACE}{_QUOTE}[\w.-]{{0,64}}{_NAME}[\w-]{{0,32}}"
        rf"{_QUOTE}(?:,|\\[nr]|\s){{1,40}}{_QUOTE}value{_QUOTE}{_SPACE}[:=]{_SPACE}){_VALUE}",
        rf"\1{MASK}",
    ),
    _Rule(
        _NAMES,
        rf"(?i)({_NAME}[\w-]{{0,32}}{_QUOTE}{_SPACE}{_EQUALS}{_SPACE}){_VALUE}",
        rf"\1{MASK}",
    ),
    _Rule(
        ("_key", "_pass", "_pwd"),
        rf"(_(?:KEY|PASS|PWD){_QUOTE}{_SPACE}{_EQUALS}{_SPACE}){_VALUE}",
        rf"\1{MASK}",
    ),
    _Rule(_NAMES, rf"({_VARIABLE}=){_WORD}", rf"\1{MASK}"),
    _Rule(
        ("set ", "setenv ", "env "),
        rf"(\b(?:set|setenv|ENV)[ \t]+(?:-\w+[ \t]+){{0,3}}[A-Z0-9_]{{0,64}}{_VARIABLE}[ \t]+)"
        rf"{_VALUE}",
        rf"\1{MASK}",
    ),
    _Rule(
        (*_NAMES, "-auth", "-pass"),
        rf"(?i)((?<![\w-])--?(?:[\w-]{{0,64}}{_NAME}|[\w-]{{0,64}}-(?:auth|pass|key))\s+){_VALUE}",
        rf"\1{MASK}",
    ),
    # Programs that are given a password by a letter; netrc.
    _Rule(
        ("-u",),
        r"((?<![\w-])(?:-u|--user|--proxy-user)[ =]?[\"']?[^\s:\"'/]{1,64}:)[^\s\"']+",
        rf"\1{MASK}",
    ),
    _Rule(
        ("sshpass", "mysql", "mariadb", "docker login", "redis-cli"),
        r"(\b(?:(?:sshpass|mysql\w{0,8}|mariadb|docker\s+login)\b[^\n|;&]{0,200}?\s-p|"
        rf"redis-cli\b[^\n|;&]{{0,200}}?\s-a) ?){_VALUE}",
        rf"\1{MASK}",
    ),
    _Rule(("login",), rf"(\blogin\s+\S{{1,200}}\s+password\s+){_VALUE}", rf"\1{MASK}"),
    _Rule(
        tuple(prefix.lower() for prefix in _PREFIXES),
        rf"{_BEGIN}(?:{'|'.join(map(re.escape, _PREFIXES))})[A-Za-z0-9_.-]{{12,}}",
        MASK,
    ),
    _Rule(("eyj",), rf"{_BEGIN}eyJ[A-Za-z0-9_-]{{8,}}\.[A-Za-z0-9_-]{{8,}}\.[A-Za-z0-9_-]*", MASK),
)


def is_secret(name: str) -> bool:
    """Whether what has that name is a secret."""
    return re.search(_IS_SECRET, name) is not None


class Masking:
    """Masks what looks like a secret, and the values of variables whose names say so."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        values = {
            value.strip()
            for name, value in environment.items()
            if len(value) >= _SHORTEST and is_secret(name) and len(value.strip()) >= _SHORTEST
        }
        # Longest first: one may begin with another.
        self._known = sorted(values, key=len, reverse=True)

    def text(self, text: str) -> str:
        """`text` with secrets masked."""
        for value in self._known:
            if value in text:
                text = text.replace(value, MASK)
        lower = text.lower()
        for rule in _RULES:
            if any(hint in lower for hint in rule.hints):
                text = re.sub(rule.pattern, rule.replacement, text)
        return text

    def command(self, words: Sequence[str]) -> str:
        """A command line as a shell would read it, with secrets masked."""
        from shlex import quote  # noqa: PLC0415 - not for hooks

        # Nobody takes it for a pattern that has to be quoted.
        shown = (text.replace(MASK, _UNQUOTED) for text in self.words(words))
        return " ".join(map(quote, shown)).replace(_UNQUOTED, MASK)

    def words(self, words: Iterable[str]) -> list[str]:
        """The words of a command line, with secrets masked."""
        shown: list[str] = []
        hidden = is_user = False
        for word in words:
            text = MASK if hidden else self._word(word)
            if is_user and not hidden:  # curl's
                text = re.sub(r"(?s)^([^:]*):.*", rf"\1:{MASK}", text)
            shown.append(text)
            is_option = word.startswith("-") and "=" not in word
            hidden = is_option and not hidden and is_secret(word)
            is_user = word in ("-u", "--user", "--proxy-user")
        return shown

    def _word(self, word: str) -> str:
        name, equals, _ = word.partition("=")
        if equals and re.fullmatch(r"[\w.-]+", name) and is_secret(name):
            return f"{name}={MASK}"
        return self.text(word)
