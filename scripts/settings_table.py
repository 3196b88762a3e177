"""Write the table of settings into README.md: python3 scripts/settings_table.py [--check].

The table in the code (tracker/config/settings.py) is the source; a test compares the two.
"""

import sys

from _environment import ROOT, Environment, run_script

README = ROOT / "README.md"
BEGIN = "<!-- settings: written by scripts/settings_table.py -->\n"
END = "<!-- /settings -->\n"


def settings():
    """Return the settings of this checkout, if need be by restarting in its environment."""
    sys.path.insert(0, str(ROOT))
    try:
        from tracker.config.settings import SETTINGS
    except ModuleNotFoundError:
        environment = Environment()
        environment.ensure()
        environment.run(__file__, *sys.argv[1:])
    return SETTINGS


def table() -> str:
    """Return the table as Markdown."""
    lines = ["| flag | variable | default | meaning |", "|---|---|---|---|"]
    for setting in settings():
        flag = f"`{setting.flag}`" if setting.flag else ""
        if setting.repeats:
            flag += " (repeats)"
        default = setting.default if setting.default_text else f"`{setting.default}`"
        lines.append(f"| {flag} | `{setting.variable}` | {default} | {setting.help} |")
    return "\n".join(lines) + "\n"


def between_marks(text: str) -> str:
    """Return what stands between the two marks; raises ValueError if they are not there."""
    _, begin, rest = text.partition(BEGIN)
    content, end, _ = rest.partition(END)
    if not begin or not end:
        raise ValueError("the marks of the table are missing")
    return content


def main() -> None:
    """Rewrite the README, or with --check only report whether it is up to date."""
    text = README.read_text(encoding="utf-8")
    present = between_marks(text)
    if present == table():
        return
    if "--check" in sys.argv[1:]:
        sys.exit("README.md: the settings differ from tracker/config/settings.py; run this script")
    updated = text.replace(BEGIN + present, BEGIN + table())
    README.write_text(updated, encoding="utf-8")


if __name__ == "__main__":
    run_script(main)
