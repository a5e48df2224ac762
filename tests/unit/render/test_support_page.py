from __future__ import annotations

from pathlib import Path

from leeward.render.support.page import page_text

PAGE = Path(__file__).parents[3] / "docs" / "compose-support.md"


def test_the_documentation_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page_text(), (
        "docs/compose-support.md is out of date; `python scripts/generate_compose_support.py` writes it"
    )
