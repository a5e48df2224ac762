"""Writes docs/pod-security-corpus.md: which Pods of real projects are not "restricted", and why.

Run: python scripts/generate_pod_security.py [--check]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from leeward.compose.load import LoadOptions, load_project
from leeward.render.podlevel import levels_of
from leeward.render.render import RenderOptions, render

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "pod-security-corpus.md"
CORPUS = ROOT.parent / "shared" / "data" / "compose-corpus"
HEAD = """\
# Pod Security of real projects

Every Pod that leeward renders is admitted at Pod Security `restricted` if the files show that its image
works with it: the Compose file names a user that is not root by its number, the Dockerfile does, or the
image is one whose documentation says that it never is root (`src/leeward/render/knownimages.py`). Any other
image may start as root, and many do to take over their volume before they become another user; these keep
Docker's default capabilities, which `baseline` admits. `user: "1000"` makes a service restricted.

These are the Pods of the public projects that leeward is tested with, rendered for production, made by
`scripts/generate_pod_security.py`. Everything that is not listed is restricted.

"""


def compose_files() -> list[Path]:
    """Return the Compose files of the corpus, ordered."""
    return sorted(CORPUS.rglob("*compose*.y*ml"))


def rows(path: Path) -> Iterator[tuple[str, str, str, str]]:
    """Return (service, image, level, rules of restricted that are broken) of every Pod of a project."""
    project = load_project(LoadOptions(working_dir=path.parent, files=[path.name])).project
    images = {name: service.image or "(built)" for name, service in project.services.items()}
    for name, (level, broken) in levels_of(
        render(project, RenderOptions(environment="production")).objects
    ).items():
        reasons = ", ".join(dict.fromkeys(violation.reason for violation in broken))
        yield name, images.get(name, ""), level, reasons


def page() -> str:
    """Return the page."""
    lines, restricted, total = [], 0, 0
    for path in compose_files():
        name = path.relative_to(CORPUS).as_posix()
        for service, image, level, reasons in rows(path):
            total += 1
            restricted += level == "restricted"
            if level != "restricted":
                lines.append(f"| {name} | {service} | `{image}` | {level} | {reasons} |")
    table = [
        "| file | service | image | level | what restricted would refuse |",
        "|---|---|---|---|---|",
        *lines,
    ]
    return HEAD + f"{restricted} of {total} Pods are restricted.\n\n" + "\n".join(table) + "\n"


def main() -> int:
    """Write the page, or tell whether it is up to date."""
    text = page()
    if "--check" in sys.argv[1:]:
        return 0 if PAGE.read_text(encoding="utf-8") == text else 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
