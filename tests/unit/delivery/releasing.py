"""What tests of releases share: a project on disk, recorded and made into a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from leeward.compose.load import LoadOptions
from leeward.delivery.releases.inputs import Recorded, record_project
from leeward.delivery.releases.making import Made, make_bundle


def write(directory: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files below `directory`, which is made."""
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return directory


def recorded(directory: Path, **variables: str) -> Recorded:
    """Record the project in a directory, called shop."""
    return record_project(
        LoadOptions(
            working_dir=directory,
            files=("compose.yaml",),
            project_name="shop",
            environment={"HOME": "/home/jane", "PWD": str(directory), **variables},
        )
    )


def made(directory: Path, images: Mapping[str, str] | None = None, **variables: str) -> Made:
    """Make the bundle of the project in a directory."""
    return make_bundle(recorded(directory, **variables), images or {})
