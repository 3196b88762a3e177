"""Build the dashboard of this checkout: python3 scripts/dashboard.py.

tracker/web/app becomes tracker/web/built, by esbuild, unless that is as new. Node is this
machine's, or else comes from PyPI into .venv. The other scripts do this by themselves, and so does
what makes a wheel (scripts/hatch_build.py).
"""

from _environment import Environment, run_script

if __name__ == "__main__":
    run_script(Environment().ensure)
