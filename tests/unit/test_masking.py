"""What is told of command lines and outputs shows no secret."""

from __future__ import annotations

import json
import shlex
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_task_tracker.masking import Masking

SECRET = "s3cr3tXvalue"
NOTHING_KNOWN = Masking({})

COMMANDS = {
    f"deploy --token {SECRET}": "deploy --token ***",
    f"deploy --token={SECRET} --wait": "deploy --token=*** --wait",
    f"deploy --api-key {SECRET} prod": "deploy --api-key *** prod",
    f"deploy --apiKey={SECRET}": "deploy --apiKey=***",
    f"mysql --password {SECRET} db": "mysql --password *** db",
    f"env DB_PASSWORD={SECRET} make": "env DB_PASSWORD=*** make",
    f"make OPENAI_API_KEY={SECRET} test": "make OPENAI_API_KEY=*** test",
    f"make STRIPE_KEY={SECRET}": "make STRIPE_KEY=***",
    f"curl -u me:{SECRET} http://h/": "curl -u me:*** http://h/",
    f"curl -H 'Authorization: Bearer {SECRET}' h": "curl -H 'Authorization: ***' h",
    f"curl -H 'X-API-Key: {SECRET}' h": "curl -H 'X-API-Key: ***' h",
    f"git clone https://me:{SECRET}@host/r.git": "git clone https://me:***@host/r.git",
    f"curl 'http://h/?q=1&access_token={SECRET}&b=2'": "curl 'http://h/?q=1&access_token=***&b=2'",
    f"sh -c 'TOKEN={SECRET} ./go'": "sh -c TOKEN=***",  # it may be in several words
    f"sh -c 'make && TOKEN={SECRET} ./go'": "sh -c 'make && TOKEN=*** ./go'",
    f"sh -c './go --secret {SECRET}'": "sh -c './go --secret ***'",
    f'post \'{{"password": "{SECRET}", "b": 1}}\'': 'post \'{"password": ***, "b": 1}\'',
    "use ghp_abcdefghijklmnop1234": "use ***",
    "use sk-proj-abcdefghijklmnop1234": "use ***",
    "use att_abcdefghijklmnop1234": "use ***",
    "use AKIAABCDEFGHIJKLMNOP": "use ***",
    "use eyJhbGciOiJIUzI1.eyJzdWIiOiIx.abcdef": "use ***",
}


@pytest.mark.parametrize(("command", "shown"), COMMANDS.items())
def test_secrets_of_command_lines(command: str, shown: str) -> None:
    assert NOTHING_KNOWN.command(shlex.split(command)) == shown


@pytest.mark.parametrize(
    "command",
    [
        "make test",
        "pytest -k 'not slow' tests/unit",
        "git checkout 8c28ed1f2a4b6c8d0e2f4a6b8c0d2e4f6a8b0c2d",
        "train --max-tokens 4096 --tokenizer bpe",
        "ssh -p 22 -i id host",
        "docker run -u 1000 image",
        "sort -t : -k 2",
        "npm run author --tag keyboard",
        "cat passengers.csv cookies.txt",
    ],
)
def test_what_is_no_secret_stays(command: str) -> None:
    assert NOTHING_KNOWN.command(shlex.split(command)) == command


@pytest.mark.parametrize(
    "line",
    [
        f"password: {SECRET}",
        f"export API_KEY={SECRET}",
        f"token: '{SECRET}'",
        f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\n{SECRET}",
        f"Authorization: Basic {SECRET}",
        f"GET / HTTP/1.1\ncookie: id={SECRET}; b=2",
        f"STRIPE_KEY: {SECRET}",
        f'{{"DB_PASS": "{SECRET}"}}',
        f"export DB_PASSWORD=a,b;c){SECRET}",
        f'token := "{SECRET}"',
        f"TOKEN ?= {SECRET}",
        f"set -gx DEPLOY_TOKEN {SECRET}",
        f"ENV API_KEY {SECRET}",
        f"token: |-\n  {SECRET}\n  {SECRET}\nnext: 1",
        f"- name: DB_PASSWORD\n  value: {SECRET}",
        json.dumps(json.dumps({"name": "DB_PASSWORD", "value": SECRET})),
        f'<add key="ApiKey" value="{SECRET}"/>',
        f"<password>{SECRET}</password>",
        f"machine h login me password {SECRET}",
        f"curl -u me:{SECRET} http://h/",
        f"curl --user 'me:{SECRET}' http://h/",
        f"sshpass -p {SECRET} ssh h",
        f"mysql -u root -p{SECRET} db",
        f"docker login -u me -p {SECRET} r.example",
        f"redis-cli -p 6380 -a {SECRET} ping",
        f"--token {SECRET}",
        f"deploy --auth {SECRET}",
        f"https://{SECRET}{SECRET}@git.example/r.git",
        f"https://{SECRET}{SECRET}:x-oauth-basic@git.example/r.git",
        f"https://h/blob?sv=1&sig={SECRET}",
        f"https://h/o?X-Amz-Signature={SECRET}&x=1",
        f"https://hooks.slack.com/services/T0/B0/{SECRET}",
        f"https://discord.com/api/webhooks/1/{SECRET}",
        f"client-key-data: LS0tLS1CRUdJTiBQ+/{SECRET}==",
    ],
)
def test_secrets_of_outputs(line: str) -> None:
    assert SECRET not in NOTHING_KNOWN.text(line)


def test_outputs_keep_their_words() -> None:
    line = (
        "total tokens: 4,512; the key idea; passed 3 of 4; author: Ann; keys: 3; PWD=/home/ann; "
        "MAX_TOKENS=4096; http://localhost:8000/a?b=1; <b>token</b>; git push -u origin main; "
        "name: a, value: 3; set the token as you like; ls -user; login and password"
    )
    assert NOTHING_KNOWN.text(line) == line


def test_values_of_variables_are_known_wherever_they_are() -> None:
    masking = Masking(
        {"API_KEY": SECRET, "DEPLOY_TOKEN": f"{SECRET}-longer", "PWD": "/a/long/folder"}
    )
    assert masking.text(f"it is {SECRET}-longer, or {SECRET}!") == "it is ***, or ***!"
    assert masking.command(["echo", SECRET]) == "echo ***"
    assert masking.text("in /a/long/folder") == "in /a/long/folder"


def test_short_values_of_variables_are_words() -> None:
    assert Masking({"USE_TOKEN": "true", "KEY": ""}).text("true love") == "true love"


@given(st.lists(st.text(max_size=40), max_size=6), st.text(max_size=200))
def test_no_text_breaks_it(words: list[str], text: str) -> None:
    masking = Masking({"SECRET": text})
    masking.command(words)
    masking.text(text)


def cpu_seconds(text: str) -> float:
    """The least of a few runs, of this thread's own time: what others do does not count."""
    runs = []
    for _ in range(3):
        begun = time.thread_time()
        NOTHING_KNOWN.text(text)
        runs.append(time.thread_time() - begun)
    return min(runs)


def test_lines_that_keep_patterns_searching_cost_little_more_than_others() -> None:
    """It is done before `tracker run` ends, so it holds up whoever waits for the command."""
    size = 16_384
    lines = "2024-01-01 10:00:00 INFO something happened here\n" * (size // 48)
    hints = "private key authorization cookie basic :// token _key= sk- eyj value </ set -u login"
    ordinary = cpu_seconds(lines + hints)
    for part in (
        *("a" * 64, "--a-", "token ", "x://", "-----BEGIN PRIVATE KEY-----", "'\"", "_KEY"),
        *("jwt", "token-", "password", "sk-", "eyJaaaaaaaaa.", "key: token", "<a token", "mysql "),
        *("token: |\n a\n", "set -a ", "login a ", "-uaaaa", "://aaaaaaaaaaaaaaaaaaaaaa", "?sig"),
    ):
        assert cpu_seconds(part * (size // len(part))) < 8 * ordinary, part
