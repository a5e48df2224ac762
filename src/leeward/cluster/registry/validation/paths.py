"""Paths inside of volumes and on nodes.

Source: pkg/apis/core/validation/validation.go validateLocalDescendingPath, ValidateLocalNonReservedPath
(Kubernetes 1.36).
"""

from __future__ import annotations

from leeward.cluster.registry.failures import Failure, invalid


def has_backsteps(path: str) -> bool:
    """Tell whether a path leads upwards somewhere."""
    return ".." in path.split("/")


def backstep_failures(path: str, field: str) -> list[Failure]:
    """Check that a path leads nowhere upwards."""
    return [invalid(field, path, "must not contain '..'")] if has_backsteps(path) else []


def descending_failures(path: str, field: str) -> list[Failure]:
    """Check a relative path that stays below where it starts."""
    found = [invalid(field, path, "must be a relative path")] if path.startswith("/") else []
    return found + backstep_failures(path, field)


def file_failures(path: str, field: str) -> list[Failure]:
    """Check a name of a file of a volume: names that begin with two dots are the volume's own."""
    found = descending_failures(path, field)
    if path.startswith("..") and not path.startswith("../"):
        found.append(invalid(field, path, "must not start with '..'"))
    return found
