"""Run the server of this checkout: python3 scripts/serve.py [options of `tracker serve`]."""

import sys

from _environment import Environment, run_script


def main() -> None:
    """Install what is missing, then become the server."""
    environment = Environment()
    environment.ensure()
    # -P: a folder "tracker" in the working directory must not pass for this checkout's.
    environment.run("-P", "-m", "tracker", "serve", *sys.argv[1:])


if __name__ == "__main__":
    run_script(main)
