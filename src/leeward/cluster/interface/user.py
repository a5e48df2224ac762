"""Who asks, as authentication found out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

ANONYMOUS = "system:anonymous"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
MASTERS = "system:masters"  # may do everything


@dataclass(frozen=True, slots=True)
class User:
    """An identity. One without groups is a component of this process, which nobody authenticates."""

    name: str
    groups: Sequence[str] = ()
    uid: str = ""
    extra: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def is_component(self) -> bool:
        """Whether it is a component of this process."""
        return not self.groups

    def info(self) -> dict[str, object]:
        """Return it as ``authentication.k8s.io/v1`` UserInfo."""
        shown = {
            "username": self.name,
            "uid": self.uid,
            "groups": list(self.groups),
            "extra": {key: list(values) for key, values in sorted(self.extra.items())},
        }
        return {key: value for key, value in shown.items() if value}


def service_account_groups(namespace: str) -> tuple[str, str]:
    """Return the groups of every service account of a namespace."""
    return "system:serviceaccounts", f"system:serviceaccounts:{namespace}"


def split_service_account(username: str) -> tuple[str, str] | None:
    """Return namespace and name of the service account that a username means, or None."""
    parts = username.split(":")
    if len(parts) != 4 or parts[:2] != ["system", "serviceaccount"] or not parts[2] or not parts[3]:
        return None
    return parts[2], parts[3]
