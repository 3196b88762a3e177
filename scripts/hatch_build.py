"""What hatchling runs before it makes a wheel or an sdist: the dashboard has to be built.

An sdist holds it built. Elsewhere Node comes from PyPI, if the machine has none.
"""

import sys
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.append(str(Path(__file__).resolve().parent))
from _dashboard import NODE_WHEEL, Dashboard, find_node, node_of_wheel


class DashboardBuildHook(BuildHookInterface):
    """Builds tracker/web/built."""

    def dependencies(self) -> list[str]:
        """Node, where it is needed."""
        return [] if Dashboard(Path(self.root)).is_built() or find_node() else [NODE_WHEEL]

    def initialize(self, version: str, build_data: dict) -> None:  # noqa: ARG002 - hatchling's
        """Build it, unless it is."""
        dashboard = Dashboard(Path(self.root))
        if not dashboard.is_built():
            dashboard.build(find_node() or node_of_wheel(sys.executable))
