"""Marks for tests of what not every system has."""

from __future__ import annotations

import os
import sys

import pytest

needs_posix = pytest.mark.skipif(
    os.name == "nt", reason="links, modes, signals, limits and pseudo-terminals of POSIX"
)
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="limits of a running process")
