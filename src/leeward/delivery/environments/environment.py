"""An environment as its cluster knows it: where releases come from, what is laid over them, what runs. Pure.

The object is written by ``leeward env apply`` from ``leeward.yaml`` and is what promotions read, so that a
branch of ``leeward.yaml`` changes nothing about production. What is laid over a release (Compose files, files
with variables, variables, profiles, sizes, replicas) is packed into it. Paths are as ``leeward.yaml`` has
them, relative to its directory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from leeward.base.errors import OperationError
from leeward.delivery.api import Finds
from leeward.delivery.environments.verifications import (
    Verification,
    number,
    read_verification,
    to_object,
    verification_of,
)
from leeward.delivery.records import ENVIRONMENTS, hub_of, pack, record, unpack
from leeward.kube.objects import Obj, parse_time
from leeward.render.naming import dns_label, join_label
from leeward.settings.config import Config
from leeward.settings.config import Environment as Written
from leeward.settings.times import DAYS, Window, parse_window

LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """What an environment lays over a release."""

    files: Mapping[str, str] = field(default_factory=dict)  # path → text, of all that are named below
    compose: Sequence[str] = ()  # paths, in order of merging
    env_files: Sequence[str] = ()  # paths, later ones win
    variables: Mapping[str, str] = field(default_factory=dict)
    profiles: Sequence[str] = ()
    size: str | None = None
    replicas: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lock:
    """Somebody keeps releases out."""

    by: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Verified:
    """A release that was found good here."""

    release: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """One environment of an application."""

    name: str
    app: str
    namespace: str  # of the workloads
    origin: str = ""  # the environment that releases come from; "" for the build
    origin_cluster: str = ""  # of leeward.yaml; "" when it is in the same hub
    approvals: int = 0
    soak: float = 0.0  # seconds
    freeze: Sequence[Window] = ()
    verify: Sequence[Verification] = ()
    access: Mapping[str, str] = field(default_factory=dict)  # group → level
    embedded: bool = False
    overlay: Overlay = Overlay()
    release: str = ""  # what runs
    promotion: str = ""
    verified_at: datetime | None = None  # when what runs was found good
    verified: Sequence[Verified] = ()  # newest first
    lock: Lock | None = None
    resource_version: str = ""
    generation: int | None = None  # grows with every change of what is written here

    @property
    def hub(self) -> str:
        """The namespace that has this and its promotions."""
        return hub_of(self.app)


def namespace_for(app: str, name: str, written: Written) -> str:
    """Return where `render` puts the workloads of an environment."""
    if written.namespace:
        return written.namespace
    return dns_label(app) if name == LOCAL else join_label(app, name)


def overlay_of(written: Written, read: Callable[[str], str]) -> Overlay:
    """Return what an environment of ``leeward.yaml`` lays over a release; `read` gives the text of a file."""
    named = dict.fromkeys((*written.compose, *written.env_file))
    return Overlay(
        files={path: read(path) for path in named},
        compose=written.compose,
        env_files=written.env_file,
        variables=written.variables,
        profiles=written.profiles,
        size=written.size,
        replicas=written.replicas,
    )


def environment_object(app: str, config: Config, name: str, overlay: Overlay) -> Obj:
    """Return the object of an environment of ``leeward.yaml``, whose cluster and `from` are known.

    Raises:
        OperationError: what it lays over releases is too large.
    """
    written = config.environments[name]
    origin = written.from_ or ""
    elsewhere = config.environments[origin].cluster if origin else written.cluster
    content = {
        "files": dict(overlay.files),
        "compose": list(overlay.compose),
        "envFiles": list(overlay.env_files),
        "variables": dict(overlay.variables),
        "profiles": list(overlay.profiles),
        "size": overlay.size or "",
        "replicas": dict(overlay.replicas),
    }
    spec: Obj = {
        "app": app,
        "namespace": namespace_for(app, name, written),
        "from": origin,
        "fromCluster": "" if elsewhere == written.cluster else elsewhere,
        "approvals": written.approvals,
        "soakSeconds": number(written.soak),
        "freeze": [window_text(window) for window in written.freeze],
        "verify": [to_object(verification_of(each)) for each in written.verify],
        "access": dict(written.access),
        "embedded": config.cluster_of(written).embedded is not None,
        "content": pack(content, f"environment {name}"),
    }
    return record("Environment", app, name, spec)


def window_text(window: Window) -> str:
    """Return a window of the week as it is written."""
    ends = (
        f"{DAYS[day].capitalize()} {hour:02d}:{minute:02d}"
        for day, hour, minute in (window.start, window.end)
    )
    return f"{'/'.join(ends)} {window.time_zone}"


def read_environment(obj: Obj) -> Environment:
    """Return the environment that an object means.

    Raises:
        OperationError: it is damaged.
    """
    name = obj["metadata"]["name"]
    try:
        found = _read(name, obj["spec"], obj.get("status") or {}, obj["metadata"].get("resourceVersion", ""))
        return replace(found, generation=obj["metadata"].get("generation"))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise OperationError(
            f"environment {name} is damaged: {error}", remedy=f"Write it again: leeward env apply {name}"
        ) from error


def _read(name: str, spec: Obj, status: Obj, version: str) -> Environment:
    lock, verified_at = status.get("lock"), status.get("verifiedAt")
    return Environment(
        name=name,
        app=spec["app"],
        namespace=spec["namespace"],
        origin=spec.get("from", ""),
        origin_cluster=spec.get("fromCluster", ""),
        approvals=spec.get("approvals", 0),
        soak=float(spec.get("soakSeconds", 0)),
        freeze=tuple(parse_window(text) for text in spec.get("freeze") or ()),
        verify=tuple(read_verification(each) for each in spec.get("verify") or ()),
        access=spec.get("access") or {},
        embedded=spec.get("embedded", False),
        overlay=_read_overlay(unpack(spec["content"], f"environment {name}")),
        release=status.get("release", ""),
        promotion=status.get("promotion", ""),
        verified_at=parse_time(verified_at) if verified_at else None,
        verified=tuple(
            Verified(each["release"], parse_time(each["at"])) for each in status.get("verified") or ()
        ),
        lock=Lock(lock.get("by", ""), lock.get("reason", ""), parse_time(lock["at"])) if lock else None,
        resource_version=version,
    )


def _read_overlay(content: Mapping[str, Any]) -> Overlay:
    return Overlay(
        files=content.get("files") or {},
        compose=tuple(content.get("compose") or ()),
        env_files=tuple(content.get("envFiles") or ()),
        variables=content.get("variables") or {},
        profiles=tuple(content.get("profiles") or ()),
        size=content.get("size") or None,
        replicas=content.get("replicas") or {},
    )


async def find_environment(api: Finds, app: str, name: str) -> Environment:
    """Return an environment as its cluster knows it.

    Raises:
        OperationError: it was not applied yet, or is damaged.
    """
    found = await api.find(ENVIRONMENTS, hub_of(app), name)  # NotFound of the kind itself counts as none
    if found is None:
        raise not_applied(name)
    return read_environment(found)


def not_applied(name: str) -> OperationError:
    """Return the error for an environment that its cluster does not know yet."""
    return OperationError(
        f"its cluster does not know the environment {name} yet",
        remedy=f"Somebody who administers it writes it there: leeward env apply {name}",
    )
