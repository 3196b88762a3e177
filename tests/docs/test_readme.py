"""The READMEs: every block does what it says, and nothing in them is out of date."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import httpx
import pytest

from tests.support.browser import launch
from tests.support.markdown import ROOT, Document
from tests.support.readme_walk import INSTALLERS, OUTPUT, Walk
from tests.support.server import COMMAND, KEY, Server, environment, wait_for
from tracker.api.errors import STATUSES
from tracker.cli.group import cli
from tracker.config.settings import SETTINGS
from tracker.domain.limits import CloseCode

ENGLISH = Document("README.md")
RUSSIAN = Document("README.ru.md")
API = Document("docs/api.md")
MORE = ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
DOCUMENTS = [ENGLISH, RUSSIAN, *map(Document, MORE)] + [
    Document(str(path.relative_to(ROOT))) for path in sorted((ROOT / "docs").rglob("*.md"))
]
SOURCES = "\n".join(
    path.read_text("utf-8")
    for package in ("agent_task_tracker", "tracker")
    for path in (ROOT / package).rglob("*.py")
)
IN_BROWSER = "javascript"
SCRIPT = "text/javascript"


@pytest.mark.skipif(sys.platform != "linux", reason="the README's paths are those of Linux")
def test_every_block_does_what_it_says(tmp_path: Path) -> None:
    walk = Walk(tmp_path)
    blocks = ENGLISH.blocks
    try:
        for block, following in zip(blocks, [*blocks[1:], None], strict=True):
            if block.language in OUTPUT:
                continue
            assert block.language in (*walk.languages, IN_BROWSER), f"{block.where}: no rule"
            shown = following if following and following.language in OUTPUT else None
            if block.language != IN_BROWSER:
                walk.take(block, shown)
        tasks = httpx.get(
            f"http://127.0.0.1:{walk.ports[0]}/api/projects/my-project/tasks",
            headers={"X-API-Key": key_of(walk)},
            trust_env=False,
        ).json()["tasks"]
    finally:
        walk.end()
    statuses = {task["task_id"]: task["status"] for task in tasks}
    assert statuses == {
        "task-123": "completed",
        "task-124": "failed",
        "task-125": "running",
        "Nightly build": "completed",
        "eval-6": "completed",
        "Release": "completed",
        "eval-7": "completed",
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["name"]
    assert {name: walk.checkout.calls_of(name) for name in INSTALLERS} == {
        "uvx": [project],
        "pipx": [f"install {project}"],
        "pip": ["install ."],
    }


def key_of(walk: Walk) -> str:
    kept = walk.home / ".local/share/agent-task-tracker/tracker.db.api-key"
    return kept.read_text().strip()


def test_each_output_stands_under_what_prints_it() -> None:
    languages = [block.language for block in ENGLISH.blocks]
    for before, language in zip(["", *languages], languages, strict=False):
        assert language not in OUTPUT or before in ("sh", "python")


def test_what_pip_installs_is_the_command() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["scripts"].keys() == {"tracker", project["name"]}  # `uvx` runs the latter
    for command in project["scripts"].values():
        module, _, function = command.partition(":")
        assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.browser
def test_javascript_runs_in_a_page_of_another_origin(
    chromium: str, start_server: Callable[..., Server], page_at: Callable[[str], str]
) -> None:
    (block,) = [block for block in ENGLISH.blocks if block.language == IN_BROWSER]
    frontend = page_at("<!doctype html><script type=module src=example.js></script>")
    server = start_server("--cors-origin", frontend)
    code = block.code.replace("http://localhost:8000", server.url).replace("your-api-key", KEY)
    assert server.url in code
    assert KEY in code
    logged: list[str] = []
    with launch(chromium) as browser:
        page = browser.new_page()
        page.on("console", lambda message: logged.append(f"{message.type} {message.text}"))
        page.on("pageerror", lambda error: logged.append(f"error {error}"))
        page.route("**/example.js", lambda route: route.fulfill(body=code, content_type=SCRIPT))

        def has_logged(text: str) -> bool:
            page.wait_for_timeout(20)
            assert not [line for line in logged if line.startswith("error")]
            return any(line.startswith(f"log {text}") for line in logged)

        server.report("start", "my-project")
        page.goto(frontend)
        wait_for(lambda: has_logged("task_started"), 30, "the event from before")
        wait_for(lambda: has_logged("projects"), 30, "the answer of the REST API")
        wait_for(lambda: has_logged("task_finished"), 30, "its own task")
        server.report("error", "my-project")
        wait_for(lambda: has_logged("task_error"), 30, "the event that came")


def test_russian_has_the_same_content() -> None:
    assert [level for level, _ in RUSSIAN.headings] == [level for level, _ in ENGLISH.headings]
    assert [block[1:] for block in RUSSIAN.blocks] == [block[1:] for block in ENGLISH.blocks]
    english = [link for link in ENGLISH.links if link != RUSSIAN.name]
    assert [link for link in RUSSIAN.links if link != ENGLISH.name] == english
    assert RUSSIAN.text.count("\n|") == ENGLISH.text.count("\n|")
    assert set(RUSSIAN.spans) == set(ENGLISH.spans)


def test_settings_are_those_of_the_code() -> None:
    script = [sys.executable, str(ROOT / "scripts" / "settings_table.py"), "--check"]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    english = ENGLISH.table("flag")
    assert [row[1] for row in english] == [f"`{setting.variable}`" for setting in SETTINGS]
    russian = RUSSIAN.table("флаг")
    for ours, theirs, setting in zip(english, russian, SETTINGS, strict=True):
        assert theirs[0].replace("повторяется", "repeats") == ours[0]
        assert theirs[1] == ours[1]
        assert setting.default_text or theirs[2] == ours[2]


def test_settings_are_those_of_the_help(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "serve", "--help"],
        env=environment(tmp_path),
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    printed = "".join(done.stdout.split())
    for flag, variable, default, meaning in ENGLISH.table("flag"):
        told = f"{meaning}[{variable}; default: {default}]" if flag else variable
        assert "".join(told.replace("`", "").split()) in printed
        assert flag.split("`")[1:2] == [] or flag.split("`")[1] in done.stdout


@pytest.mark.parametrize("document", [ENGLISH, RUSSIAN], ids=lambda document: document.name)
def test_what_any_env_may_say_is_what_the_code_takes(document: Document) -> None:
    (sentence,) = re.findall(r"(?<=[.:] )[^.]*`API_KEY`,\s[^.]*\.", document.prose)
    named = re.findall(r"`(\w+)`", sentence)
    assert named == [setting.variable for setting in SETTINGS if setting.in_any_dotenv]


def test_error_codes_are_those_of_the_code() -> None:
    rows = API.table("status | code")
    assert {row[1].strip("`"): int(row[0]) for row in rows} == dict(STATUSES)


def test_close_codes_are_those_of_the_code() -> None:
    listed = {code for row in API.table("WebSocket closed with") for code in row[0].split(", ")}
    ours = {str(value) for name, value in vars(CloseCode).items() if name.isupper()}
    of_the_protocol = {"1009"}
    assert listed == ours | of_the_protocol


def test_event_is_what_the_server_sends(shared_server: Server, project: str) -> None:
    (block,) = [block for block in API.blocks if block.language == "json"]
    shown = json.loads(block.code)
    fields = {name: shown["data"][name] for name in ("agent", "status", "progress", "message")}
    shared_server.report("start", project, "task-123")
    shared_server.report("status", project, "task-123", task=shown["data"]["title"], **fields)
    sent = shared_server.task(project, "task-123")["events"][-1]
    moved = {"id": shown["id"], "timestamp": shown["timestamp"]}
    data = {"project": "my-project", "started_at": shown["data"]["started_at"]}
    assert {**sent, **moved, "data": {**sent["data"], **data}} == shown


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links_lead_somewhere(document: Document) -> None:
    for link in document.links:
        if "://" in link:
            continue
        path, _, fragment = link.partition("#")
        target = ((ROOT / document.name).parent / path).resolve() if path else ROOT / document.name
        assert target.exists(), f"{document.name}: {link}"
        if fragment:
            headings = Document(str(target.relative_to(ROOT))).headings
            assert fragment in {_slug(text) for _, text in headings}, f"{document.name}: {link}"


def _slug(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_files_that_are_named_exist(document: Document) -> None:
    for span in document.spans:
        if re.fullmatch(r"(agent_task_tracker|tracker|tests|scripts|docs)/[\w./-]+", span):
            assert (ROOT / span).exists(), f"{document.name}: {span}"


def test_flags_and_variables_that_are_named_exist() -> None:
    flags = set(_flags(cli, click.Context(cli)))
    for span in ENGLISH.spans:
        assert set(re.findall(r"(?<![\w-])--[a-z][\w-]*", span)) <= flags, span
        for variable in re.findall(r"\b(?:TRACKER_\w+|\w+_KEY)\b", span):
            assert f'"{variable}"' in SOURCES, span


def _flags(command: click.Command, context: click.Context) -> Iterator[str]:
    """Every option of a command and of those below it."""
    for parameter in command.get_params(context):
        yield from parameter.opts
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from _flags(below, click.Context(below, parent=context))


def test_troubles_are_told_in_the_words_of_the_program() -> None:
    seen = [row[0] for row in ENGLISH.table("what you see")]
    quoted = [words for cell in seen for words in re.findall("`(.+?)`", cell)]
    assert len(quoted) > 5
    assert [words for words in quoted if words not in SOURCES] == []
