"""The pages for people who change the project."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_moved_paths_are_right():
    """What the table calls new exists, and what it calls old does not."""
    page = (ROOT / "docs/development/moved_paths.md").read_text(encoding="utf-8")
    modules = re.findall(r"^\| `(.+?)` \| (.+) \|$", page.split("## Other files")[0], re.MULTILINE)
    assert len(modules) > 70
    for old, new in modules:
        for path in re.findall(r"`(.+?)`", new):
            assert (ROOT / "hmr_edu" / path).exists(), path
        assert not (ROOT / "hmr_edu" / old).is_file(), old
