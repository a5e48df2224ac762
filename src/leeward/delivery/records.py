"""The vocabulary of releases: what they, environments, promotions, approvals and the audit trail are called.

They are custom resources of the group ``leeward.dev``, in the hub: a namespace of the application in every
cluster that hosts one of its environments. What is long is packed: canonical JSON, compressed, as text.

Invariant: digests are of canonical JSON, so that they are the same on every machine.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import zlib
from typing import Any

from leeward.base.errors import OperationError
from leeward.kube.objects import Obj
from leeward.render.naming import dns_label, join_label

GROUP, VERSION = "leeward.dev", "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
RELEASES, ENVIRONMENTS, PROMOTIONS = f"releases.{GROUP}", f"environments.{GROUP}", f"promotions.{GROUP}"
APPROVALS, AUDIT_RECORDS = f"approvals.{GROUP}", f"auditrecords.{GROUP}"
APP_LABEL, ENVIRONMENT_LABEL = f"{GROUP}/app", f"{GROUP}/environment"
ID_DIGITS = 12  # of a release's digest, in its name
MOST_PACKED = 1_000_000  # characters; the API server takes objects of 1.5 MB


def hub_of(app: str) -> str:
    """Return the namespace that has the releases and environments of an application."""
    return join_label("leeward", dns_label(app))


def canonical(value: Any) -> bytes:
    """Return the one JSON text of a value: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest_of(value: Any) -> str:
    """Return ``sha256:…`` of the canonical JSON of a value."""
    return f"sha256:{hashlib.sha256(canonical(value)).hexdigest()}"


def pack(value: Any, what: str) -> str:
    """Return a value as compressed text.

    Raises:
        OperationError: it is too long for an object; `what` says what it is.
    """
    text = base64.b64encode(gzip.compress(canonical(value), mtime=0)).decode("ascii")
    if len(text) > MOST_PACKED:
        raise OperationError(
            f"{what} is too large: {len(text)} characters of at most {MOST_PACKED} when compressed",
            remedy="Large files belong into images or volumes, not into configs.",
        )
    return text


def unpack(text: str, what: str) -> Any:
    """Return what :func:`pack` packed.

    Raises:
        OperationError: the text is damaged; `what` says what it is of.
    """
    try:
        return json.loads(gzip.decompress(base64.b64decode(text, validate=True)))
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise OperationError(f"{what} is damaged: {error}") from error


def release_name(app: str, digest: str) -> str:
    """Return the id of a release, which is also the object's name: ``storefront-3f9a12bc45de``."""
    return f"{dns_label(app)}-{digest.removeprefix('sha256:')[:ID_DIGITS]}"


def promotion_name(environment: str, number: int) -> str:
    """Return the name of an environment's promotion: ``qa-00007``."""
    return f"{environment}-{number:05d}"


def number_of(promotion: str) -> int:
    """Return the number of a promotion by its name."""
    return int(promotion.rpartition("-")[2])


def record(kind: str, app: str, name: str, spec: Obj, **labels: str) -> Obj:
    """Return an object of the hub."""
    meta = {"name": name, "namespace": hub_of(app), "labels": {APP_LABEL: dns_label(app), **labels}}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": meta, "spec": spec}
