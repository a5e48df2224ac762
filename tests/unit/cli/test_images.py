"""What ``leeward up`` builds."""

from __future__ import annotations

from pathlib import Path

from leeward.cli.images import prepare_images
from leeward.cluster.statedir import StateDir
from leeward.compose.load import LoadOptions, load_project


def test_a_dockerfile_in_the_compose_file_is_built(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(
        'services: {web: {build: {dockerfile_inline: "FROM scratch\\nCMD sleep 1"}}}\n'
    )
    project = load_project(LoadOptions(working_dir=tmp_path, project_name="shop")).project
    built = prepare_images(project, StateDir(tmp_path / "state"))
    assert built["web"].startswith("leeward.local/shop/web:")
