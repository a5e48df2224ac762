"""Writes docs/compose-support.md from the support table.

Run: python scripts/generate_compose_support.py
"""

from __future__ import annotations

from pathlib import Path

from leeward.render.support.page import page_text

PAGE = Path(__file__).parents[1] / "docs" / "compose-support.md"


def main() -> None:
    """Write the page."""
    PAGE.write_text(page_text(), encoding="utf-8")
    print(f"wrote {PAGE.name}")


if __name__ == "__main__":
    main()
