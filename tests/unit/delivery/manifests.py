"""What tests of differences share: Compose files as text, rendered as a promotion keeps them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from leeward.compose.load import LoadOptions, load_project
from leeward.delivery.promotion.manifests import without_values
from leeward.delivery.records import pack, unpack
from leeward.delivery.wording.differences import Side, differences
from leeward.kube.objects import Obj
from leeward.render.render import RenderOptions, render


def rendered(text: str, files: Mapping[str, str] | None = None, **options: Any) -> list[Obj]:
    """Render a Compose file for production; `files` are next to it."""
    with tempfile.TemporaryDirectory() as directory:
        for name, content in {"compose.yaml": text, **(files or {})}.items():
            (Path(directory) / name).write_text(content, encoding="utf-8")
        project = load_project(LoadOptions(working_dir=Path(directory), project_name="shop")).project
        return render(project, RenderOptions(environment="production", **options)).objects


def kept(objects: list[Obj]) -> list[Obj]:
    """Return objects as a promotion has them."""
    found: list[Obj] = unpack(pack(without_values(objects), "it"), "it")
    return found


def service(**keys: Any) -> str:
    """Return a Compose file with the service web, and whatever more there is at the top."""
    import yaml

    top = keys.pop("top", {})
    return yaml.safe_dump({"services": {"web": {"image": "shop/web:1", **keys}}, **top}, sort_keys=False)


def said(before: str, after: str, files: Mapping[str, str] | None = None) -> list[str]:
    """Return the differences of two Compose files, as text."""
    old, new = Side(objects=kept(rendered(before, files))), Side(objects=rendered(after, files))
    return [str(line) for line in differences(old, new)]
