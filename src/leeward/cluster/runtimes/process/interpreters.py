"""Makes the machine's interpreters known to containers by their usual names.

Images say ``python``; many machines only have ``python3``, or have it in a place that is not on a
container's PATH. A directory of links, laid over every container's root, bridges that.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

_NAMES = {"python": "python3", "python3": "python3", "node": "node", "ruby": "ruby", "perl": "perl"}


def make_shims(layer: Path) -> None:
    """Create ``usr/local/bin`` with links below `layer`."""
    directory = layer / "usr" / "local" / "bin"
    directory.mkdir(parents=True, exist_ok=True)
    for name, program in _NAMES.items():
        target = _interpreter() if program == "python3" else shutil.which(program)
        if target is not None:
            (directory / name).symlink_to(os.path.realpath(target))


def _interpreter() -> str:
    """Return the Python that the virtual environment of leeward was made from."""
    return getattr(sys, "_base_executable", None) or sys.executable
