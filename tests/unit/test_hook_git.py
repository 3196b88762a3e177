"""What git's files say, compared with what git says, and when they are not git's."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from agent_task_tracker.hook.git import Git, git_facts, without_user

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="compared with git")


def git(folder: Path, *arguments: str) -> str:
    names = {
        f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(
        ["git", "-c", "protocol.file.allow=always", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **names, **settings},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "main"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "trunk")
    git(folder, "commit", "-q", "--allow-empty", "-m", "first")
    git(folder, "remote", "add", "origin", "https://me:secret@host.example/u/app.git")
    return folder


@needs_git
def test_a_repository_from_a_folder_inside_of_it(repository: Path) -> None:
    inside = repository / "a" / "b"
    inside.mkdir(parents=True)
    expected = Git(str(repository), str(repository), "trunk", "https://host.example/u/app.git")
    assert git_facts(str(repository)) == git_facts(str(inside)) == expected
    git(repository, "checkout", "-q", "-b", "feature/x")
    assert git_facts(str(inside)).branch == "feature/x"
    git(repository, "checkout", "-q", "--detach")
    assert git_facts(str(inside)).branch == git(repository, "rev-parse", "HEAD")[:7]


@needs_git
def test_a_linked_worktree_names_the_main_one(repository: Path) -> None:
    linked = repository.parent / "linked"
    git(repository, "worktree", "add", "-q", "-b", "other", str(linked))
    expected = Git(str(linked), str(repository), "other", "https://host.example/u/app.git")
    assert git_facts(str(linked)) == expected


@needs_git
def test_a_bare_repository_and_its_worktrees(repository: Path) -> None:
    bare = repository.parent / "app.git"
    git(repository.parent, "clone", "-q", "--bare", str(repository), str(bare))
    assert git_facts(str(bare)) == Git(None, str(bare), "trunk", str(repository))
    linked = repository.parent / "linked"
    git(bare, "worktree", "add", "-q", "-b", "other", str(linked))
    assert git_facts(str(linked)) == Git(str(linked), str(bare), "other", str(repository))
    hidden = repository.parent / "project" / ".bare"
    shutil.copytree(bare, hidden)
    shutil.rmtree(hidden / "worktrees")
    beside = hidden.parent / "side"
    git(hidden, "worktree", "add", "-q", "-b", "third", str(beside))
    assert git_facts(str(beside)).worktree == str(hidden.parent)


@needs_git
def test_a_submodule_is_a_repository_of_its_own(repository: Path) -> None:
    outer = repository.parent / "outer"
    outer.mkdir()
    git(outer, "init", "-q")
    git(outer, "submodule", "add", "-q", str(repository), "sub")
    found = git_facts(str(outer / "sub"))
    assert found == Git(str(outer / "sub"), str(outer / "sub"), "trunk", str(repository))


def test_no_repository(tmp_path: Path) -> None:
    assert git_facts(str(tmp_path)) == Git()
    assert git_facts(str(tmp_path / "gone")) == Git()
    assert git_facts("relative") == Git()
    assert git_facts("/a\0b") == Git()


@pytest.mark.parametrize(
    "link",
    [b"", b"\xff\xfe", b"gitdir:", b"gitdir: ../gone", b"gitdir: /dev/zero", b"x" * 10_000_000],
)
def test_a_broken_link_is_a_folder_of_its_own(tmp_path: Path, link: bytes) -> None:
    (tmp_path / ".git").write_bytes(link)
    assert git_facts(str(tmp_path)) == Git(str(tmp_path), str(tmp_path))


def test_a_broken_repository_tells_what_it_can(tmp_path: Path) -> None:
    own = tmp_path / ".git"
    own.mkdir()
    here = str(tmp_path)
    assert git_facts(here) == Git(here, here)
    os.mkfifo(own / "HEAD")
    (own / "config").symlink_to("/dev/zero")
    assert git_facts(here) == Git(here, here)
    (own / "HEAD").unlink()
    (own / "config").unlink()
    (own / "HEAD").write_text("ref: refs/heads/.invalid\n")
    filler = "[x]\n\ty = z\n" * 20_000
    (own / "config").write_text(f'[REMOTE "origin"]\n\tURL = "git@h:u/a.git"\n{filler}')
    assert git_facts(here) == Git(here, here, None, "h:u/a.git")
    (own / "config").write_text(f'{filler * 4}[remote "origin"]\n\turl = x\n')
    assert git_facts(here).remote is None, "too long to be read for each event"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://host/u/a.git", "https://host/u/a.git"),
        ("https://me:p%40ss@host:8443/u/a.git", "https://host:8443/u/a.git"),
        ("https://me:p@ss@host/a", "https://host/a"),
        ("https://ghp_token@host/a?private_token=x#y", "https://host/a"),
        ("ssh://git@host/a@b", "ssh://host/a@b"),
        ("git@host:u/a.git", "host:u/a.git"),
        ("/srv/git/a:b.git", "/srv/git/a:b.git"),
        ("../a.git", "../a.git"),
        ("https://", "https://"),
    ],
)
def test_addresses_tell_no_user(url: str, shown: str) -> None:
    assert without_user(url) == shown
