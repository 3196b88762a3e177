"""What git's files say of a folder. Git is not run: it takes long, and may run what a repository
says."""

from __future__ import annotations

import os
import re
import stat

from agent_task_tracker.light_typing import Final, NamedTuple

_MAX_LEVELS: Final = 64
_MAX_LINK: Final = 4096
_MAX_CONFIG: Final = 256 * 1024

_BRANCHES: Final = "ref: refs/heads/"
_SHORT_SHA: Final = 7


class Git(NamedTuple):
    """`root`: of the working tree; `worktree`: of the main one, else the bare repository's folder;
    `branch`: or the short id of a commit that is checked out by itself; `remote`: the address of
    `origin`, without user and password. None: there is none, or it cannot be read."""

    root: str | None = None
    worktree: str | None = None
    branch: str | None = None
    remote: str | None = None


def git_facts(folder: str) -> Git:
    """What is known of the repository that the folder is in."""
    if not os.path.isabs(folder):
        return Git()
    for _ in range(_MAX_LEVELS):
        link = os.path.join(folder, ".git")
        found = _stat(link)
        if found is not None and stat.S_ISDIR(found.st_mode):
            return _facts(folder, link, link)
        if found is not None and stat.S_ISREG(found.st_mode):
            return _linked(folder, link)
        if _is_bare(folder):
            return _facts(None, folder, folder)
        parent = os.path.dirname(folder)
        if parent == folder:
            break
        folder = parent
    return Git()


def _linked(folder: str, link: str) -> Git:
    """A linked worktree or a submodule: the file says where its own part of the repository is."""
    label, _, target = _read(link, _MAX_LINK).partition(":")
    if label != "gitdir" or not target.strip():
        return Git(root=folder, worktree=folder)
    own = os.path.normpath(os.path.join(folder, target.strip()))
    common = _read(os.path.join(own, "commondir"), _MAX_LINK).strip()
    if not common:  # a submodule
        return _facts(folder, own, own)
    return _facts(folder, own, os.path.normpath(os.path.join(own, common)))


def _facts(root: str | None, own: str, common: str) -> Git:
    """`own`: where HEAD is; `common`: where the configuration is."""
    worktree = root
    if root is None or own != common:
        parent, name = os.path.split(common)
        worktree = parent if name.startswith(".") else common
    return Git(
        root=root,
        worktree=worktree,
        branch=_branch(_read(os.path.join(own, "HEAD"), _MAX_LINK)),
        remote=_remote(_read(os.path.join(common, "config"), _MAX_CONFIG)),
    )


def _branch(head: str) -> str | None:
    head = head.strip()
    if head.startswith(_BRANCHES):
        name = head.removeprefix(_BRANCHES)
        return None if name == ".invalid" else name  # where refs are kept in tables
    return head[:_SHORT_SHA] if re.fullmatch(r"[0-9a-f]{40,64}", head) else None


def _remote(config: str) -> str | None:
    is_origin = False
    for line in config.splitlines():
        text = line.strip()
        if text.startswith("["):
            is_origin = re.match(r'\[\s*remote\s+"origin"\s*\]', text, re.IGNORECASE) is not None
        elif is_origin:
            found = re.match(r'url\s*=\s*"?([^"\s]+)', text, re.IGNORECASE)
            if found:
                return without_user(found[1])
    return None


def without_user(url: str) -> str:
    """The address without user, password, query and fragment."""
    scheme, separator, rest = url.partition("://")
    if separator:
        place, slash, path = re.split(r"[?#]", rest, maxsplit=1)[0].partition("/")
        return f"{scheme}://{place.rpartition('@')[2]}{slash}{path}"
    place, colon, path = url.partition(":")
    return f"{place.rpartition('@')[2]}{colon}{path}" if colon and "/" not in place else url


def _is_bare(folder: str) -> bool:
    head = _stat(os.path.join(folder, "HEAD"))
    return (
        head is not None
        and stat.S_ISREG(head.st_mode)
        and all(
            (found := _stat(os.path.join(folder, name))) is not None and stat.S_ISDIR(found.st_mode)
            for name in ("objects", "refs")
        )
    )


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except (OSError, ValueError):
        return None


def _read(path: str, limit: int) -> str:
    """The beginning of a file; nothing if it is none, or cannot be read."""
    try:
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
        if not stat.S_ISREG(os.stat(path).st_mode):
            return ""
        descriptor = os.open(path, flags)
    except (OSError, ValueError):
        return ""
    try:
        return os.read(descriptor, limit).decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        os.close(descriptor)
