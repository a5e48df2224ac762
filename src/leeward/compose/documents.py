"""The YAML documents of files, each file read and parsed once."""

from __future__ import annotations

from leeward.base.diagnostics import Location
from leeward.compose.findings import Findings
from leeward.compose.node import Node
from leeward.compose.source import Sources
from leeward.compose.syntax import parse_documents


class Documents:
    """Parses files and remembers them.

    Args:
        sources: reads files.
        findings: takes what is wrong with them, once a file.
    """

    def __init__(self, sources: Sources, findings: Findings) -> None:
        self._sources = sources
        self._findings = findings
        self._parsed: dict[str, list[Node]] = {}

    def parse(self, path: str, what: str = "Compose file", at: Location | None = None) -> list[Node]:
        """Return the documents of `path`, none when it cannot be read.

        Args:
            path: absolute.
            what: for messages.
            at: the line that names the file.
        """
        if path not in self._parsed:
            text = self._sources.read(path, what, at=at)
            self._parsed[path] = (
                [] if text is None else parse_documents(text, self._sources.shown(path), self._findings)
            )
        return self._parsed[path]
