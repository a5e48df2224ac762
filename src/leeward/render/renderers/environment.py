"""Environment variables: in sight where they are harmless, in a Secret where they look secret.

A value is held to be secret when its name says so (``…_PASSWORD``, ``API_KEY``; not ``…_FILE``, which
names a file) or when it is a URL with a password in it. Reviewers see every other value in place.

Invariant: the Secret's name carries the digest of its content, so a changed value rolls the Pods and
an unchanged one does not.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

from leeward.kube.objects import Obj
from leeward.render import naming
from leeward.render.model import PodDraft, Renderer, ServiceContext
from leeward.render.renderers.command import escape

_SECRET_NAME = re.compile(
    r"(^|_)(PASSWORD|PASSWD|PASS|PWD|SECRET|TOKEN|CREDENTIALS?|API_?KEY|ACCESS_?KEY|SECRET_?KEY|PRIVATE_?KEY|ENCRYPTION_?KEY)(_|$)",
    re.IGNORECASE,
)
_NOT_SECRET = re.compile(r"(_FILE|_PATH|_URL_BASE|_TTL|_EXPIRY|_LENGTH)$|^PWD$|ALLOW_EMPTY", re.IGNORECASE)
_URL_WITH_PASSWORD = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@", re.IGNORECASE)
_NAME = re.compile(r"[ -<>-~]+").fullmatch
_OLD_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*").fullmatch
_FLAGS = frozenset(("", "true", "false", "yes", "no", "0", "1"))


def is_secret(name: str, value: str) -> bool:
    """Tell whether the variable should not be shown in a manifest."""
    if "://" in value and _URL_WITH_PASSWORD.search(value):
        return True
    named = _SECRET_NAME.search(name) is not None and _NOT_SECRET.search(name) is None
    return named and value.lower() not in _FLAGS and not value.startswith("/run/secrets/")


def secret_object(
    context: ServiceContext, base: str, data: Mapping[str, bytes], *path: str | int
) -> tuple[str, Obj | None]:
    """Return the name of an immutable Secret with `data` and, where values may be shown, the object."""
    encoded = {key: base64.b64encode(value).decode() for key, value in sorted(data.items())}
    name = naming.hashed_name(base, json.dumps(encoded, sort_keys=True))
    if not context.options.include_secret_values:
        context.note(path, "secret-not-rendered", f"The Secret {name} has to be there already.")
        return name, None
    obj = context.object("v1", "Secret", name, *path)
    return name, {**obj, "type": "Opaque", "immutable": True, "data": encoded}


def env_entries(
    context: ServiceContext,
    base: str,
    environment: Mapping[str, str | None],
    *path: str | int,
) -> tuple[list[dict[str, Any]], list[Obj]]:
    """Return the entries of a container's ``env`` and the Secret, if any, that they refer to.

    Args:
        context: the service.
        base: what the Secret is called, before its digest.
        environment: name → value.
        path: where it stands in the service.
    """
    values: dict[str, str] = {}
    for name, value in environment.items():
        if not _NAME(name):
            context.error(
                (*path, name),
                "invalid-name",
                f"Kubernetes accepts no variable called {name!r}.",
                "Use printable ASCII characters other than =, at best letters, digits and _.",
            )
        elif not _OLD_NAME(name):
            context.note(
                (*path, name),
                "recent-name",
                f"Kubernetes before 1.32 refuses a variable called {name!r}.",
                "Use letters, digits, _, - and ., beginning with no digit.",
            )
        if value is None:
            context.note((*path, name), "unset-variable", f"{name} has no value and is left out.")
        else:
            values[name] = value
    hidden = {name for name, value in values.items() if is_secret(name, value)}
    secret = {naming.data_key(name): values[name].encode() for name in values if name in hidden}
    secret_name, objects = "", []
    if secret:
        secret_name, obj = secret_object(context, base, secret, *path)
        objects = [obj] if obj else []
    entries: list[dict[str, Any]] = []
    for name, value in values.items():
        if name in hidden:
            source = {"secretKeyRef": {"name": secret_name, "key": naming.data_key(name)}}
            entries.append({"name": name, "valueFrom": source})
        else:
            entries.append({"name": name, "value": escape(value)})
    return entries, objects


def _pod(context: ServiceContext, draft: PodDraft) -> None:
    entries, objects = env_entries(
        context, f"{context.plan.name}-env", context.service.environment, "environment"
    )
    draft.objects += objects
    if entries:
        draft.container["env"] = entries


DESCRIPTOR = Renderer(name="environment", pod=_pod)
