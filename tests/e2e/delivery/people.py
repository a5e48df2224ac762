"""Kubeconfigs of several people."""

from __future__ import annotations

from pathlib import Path

import yaml

from leeward.kube.kubeconfig import Access, contexts_of


def write_contexts(path: Path, people: dict[str, Access]) -> None:
    """Write a kubeconfig with a context for each person."""
    path.write_text(yaml.safe_dump(contexts_of(people)))
