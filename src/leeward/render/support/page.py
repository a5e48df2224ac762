"""The support table as the page ``docs/compose-support.md`` of the documentation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from leeward.render.support.levels import Level, Row, Section, Support
from leeward.render.support.table import SECTIONS, support_table

_INTRODUCTION = """\
# What becomes of a Compose file

Every key of the [Compose Specification](https://compose-spec.io) and what leeward makes of it on Kubernetes.
`leeward check` says it of your own project, with file and line.

| level | means | keys |
|---|---|---:|
{counts}

Where the level depends on the value, the values have rows of their own; `**` stands for all further keys.
Keys that are ignored without any effect on what a service does for others (*no effect*) are notes; other
ignored keys are warnings, which `--strict` turns into failures; what is refused is an error. A line in
`leeward.waivers.yaml` next to the Compose file accepts a finding until a day:

```yaml
- path: services.web.ulimits   # and everything below; "*" stands for a name, "[*]" for an index
  code: key-approximated       # optional: only this finding there
  owner: ops@example.com
  until: 2027-03-31
  reason: The nodes have the limit already.
```

The rows are in `src/leeward/render/support/rows/`; `python scripts/generate_compose_support.py` writes this
page.
"""
_MEANINGS = {
    Level.EXACT: "does on Kubernetes what it does in Compose",
    Level.APPROXIMATED: "does nearly the same; the difference is named",
    Level.IGNORED: "has no counterpart and is left out",
    Level.REFUSED: "cannot be left out without changing what the service is",
}


def page_text() -> str:
    """Return the page."""
    found = Counter(row.support.level for row in support_table())
    counts = "\n".join(f"| {level} | {_MEANINGS[level]} | {found[level]} |" for level in Level)
    sections = "\n".join("\n".join(_section(section)) + "\n" for section in SECTIONS)
    return f"{_INTRODUCTION.format(counts=counts)}\n{sections}"


def _section(section: Section) -> Iterator[str]:
    prefix = f"{section.prefix}." if section.prefix else ""
    yield f"## {section.title}\n"
    if prefix:
        yield f"Below `{section.prefix}`:\n"
    yield "| key | level | on Kubernetes | why, and what to do |"
    yield "|---|---|---|---|"
    for row in section.rows():
        yield from _lines(row, row.key.removeprefix(prefix))


def _lines(row: Row, key: str) -> Iterator[str]:
    yield _line(f"`{key}`", row.support)
    for pattern, support in row.variants:
        yield _line(f"`{key}` = `{pattern}`", support)


def _line(key: str, support: Support) -> str:
    level = f"{support.level}, *no effect*" if support.harmless else str(support.level)
    why = " ".join(filter(None, (support.reason, support.remedy)))
    cells = (key, level, support.result, why)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
