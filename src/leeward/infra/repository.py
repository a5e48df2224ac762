"""Which files a repository of clusters has besides those that people write.

Pure: what is on disk is the writer's matter (``render.writers.directory``), which never overwrites what was
edited.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from leeward.infra import lock as locks
from leeward.infra.hclfiles import backend_file, cluster_files, hcl_files
from leeward.infra.lock import Lock, broken_lock_rules, extended, new_lock
from leeward.infra.places import CLUSTERS
from leeward.infra.spec import ClusterSpec
from leeward.infra.tfvars import FILE_NAME as VARIABLES
from leeward.infra.tfvars import tfvars
from leeward.settings.check import Problem

OF: Mapping[str, str] = {"repository": "clusters"}  # what the index says is rendered
_GITIGNORE = """\
# Written by leeward. State and plans hold secrets.
.terraform/
*.tfstate
*.tfstate.*
*.tfplan
tfplan
crash.log
*_override.tf
"""


@dataclass(frozen=True, slots=True)
class Member:
    """One cluster of a repository."""

    spec: ClusterSpec  # without mistakes
    lock: Lock  # that knows all its zones


def member(spec: ClusterSpec, lock: Lock | None) -> tuple[Member, list[Problem]]:
    """Return a cluster with its lock, new or extended, and what its spec wants otherwise than it was made.

    Args:
        spec: without mistakes.
        lock: as it is on disk; None for a new cluster.
    """
    if lock is None:
        return Member(spec, new_lock(spec)), []
    problems = list(broken_lock_rules(lock, spec))
    return Member(spec, lock if problems else extended(lock, spec)), problems


def repository_files(members: Mapping[str, Member]) -> dict[str, str]:
    """Return what leeward writes: path from the root → text, in the order in which it is to be written.

    Locks are first, so that an interrupted run never leaves a rendered cluster without one.

    Args:
        members: cluster → what it is.
    """
    files = {".gitignore": _GITIGNORE, **hcl_files()}
    for name in sorted(members):
        below = f"{CLUSTERS}/{name}"
        files |= {f"{below}/{path}": text for path, text in cluster_member_files(members[name]).items()}
    return dict(sorted(files.items(), key=lambda item: (not item[0].endswith(locks.FILE_NAME), item[0])))


def cluster_member_files(each: Member) -> dict[str, str]:
    """Return what leeward writes into one cluster's directory: path from it → text."""
    return {
        **cluster_files(),
        "backend.tf": backend_file(each.spec),
        VARIABLES: json.dumps(tfvars(each.spec, each.lock), indent=2) + "\n",
        locks.FILE_NAME: each.lock.text(),
    }
