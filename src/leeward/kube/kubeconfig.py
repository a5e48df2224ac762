"""kubeconfig files: writing the cluster's own, reading anyone's, merging into the user's on request.

Invariants: a file is replaced whole, with mode 0600, never edited in place; merging replaces only the
entries of the same name and moves ``current-context`` only when asked. Plug-in credentials (``exec``,
``auth-provider``) are kept when merging; :mod:`leeward.kube.execplugin` runs those of ``exec``.

Source: ``k8s.io/client-go/tools/clientcmd/api/v1``.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from leeward.base.errors import UserInputError
from leeward.kube.credentials import CredentialCache


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to reach one API server: one context of a kubeconfig, files read."""

    server: str  # "https://127.0.0.1:6443"
    namespace: str = "default"
    ca_pem: str | None = None  # None: the system's trust store
    insecure: bool = False  # insecure-skip-tls-verify
    server_name: str | None = None  # tls-server-name
    token: str | None = None
    client_certificate_pem: bytes | None = None
    client_key_pem: bytes | None = None
    username: str | None = None
    password: str | None = None
    exec: Mapping[str, Any] | None = None  # a credential plug-in to run; a relative command is found
    proxy: str | None = None  # proxy-url
    credentials: CredentialCache | None = None  # that end and are renewed; instead of all the others
    remedy: str = ""  # for people, when the server does not answer


def make_kubeconfig(*, name: str, server: str, ca_data: str, token: str) -> dict[str, Any]:
    """Return a kubeconfig with one cluster, user and context, all called `name`."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": ca_data}}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [
            {"name": name, "context": {"cluster": name, "user": name, "namespace": "default"}},
        ],
        "current-context": name,
        "preferences": {},
    }


def contexts_of(people: Mapping[str, Access]) -> dict[str, Any]:
    """Return a kubeconfig with a cluster, user and context for each name; the first is the current one."""

    def text(data: bytes | None) -> str:
        return base64.b64encode(data or b"").decode("ascii")

    def user_of(access: Access) -> dict[str, str]:
        if access.token:
            return {"token": access.token}
        certificate, key = text(access.client_certificate_pem), text(access.client_key_pem)
        return {"client-certificate-data": certificate, "client-key-data": key}

    ca = {name: text((access.ca_pem or "").encode()) for name, access in people.items()}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": name, "cluster": {"server": each.server, "certificate-authority-data": ca[name]}}
            for name, each in people.items()
        ],
        "users": [{"name": name, "user": user_of(each)} for name, each in people.items()],
        "contexts": [
            {"name": name, "context": {"cluster": name, "user": name, "namespace": each.namespace}}
            for name, each in people.items()
        ],
        "current-context": next(iter(people), ""),
    }


def write_kubeconfig(path: Path, config: Mapping[str, Any]) -> None:
    """Write `config` to `path` atomically, with mode 0600; follows a symbolic link."""
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            yaml.safe_dump(dict(config), file, sort_keys=False, default_flow_style=False)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


def load_kubeconfig(path: Path) -> dict[str, Any]:
    """Return the document at `path`; an absent or empty file is an empty kubeconfig.

    Raises:
        UserInputError: it cannot be read or is no kubeconfig.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        document = None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserInputError(f"{path}: cannot read the kubeconfig: {error}") from error
    if document is None:
        return {"apiVersion": "v1", "kind": "Config", "clusters": [], "users": [], "contexts": []}
    if not isinstance(document, dict):
        raise UserInputError(f"{path}: not a kubeconfig: expected a mapping")
    return document


def merge_kubeconfig(
    mine: Mapping[str, Any], theirs: Mapping[str, Any], *, switch: bool = True
) -> dict[str, Any]:
    """Return `theirs` with the entries of `mine` added or replaced.

    Args:
        mine: what to add.
        theirs: the user's file; every entry of another name is kept as it is.
        switch: also make `mine`'s current context the current one.
    """
    merged = dict(theirs)
    merged.setdefault("apiVersion", "v1")
    merged.setdefault("kind", "Config")
    for section in ("clusters", "users", "contexts"):
        added = {entry["name"]: entry for entry in mine.get(section) or ()}
        kept = [entry for entry in theirs.get(section) or () if entry.get("name") not in added]
        merged[section] = [*kept, *added.values()]
    if switch or not theirs.get("current-context"):
        merged["current-context"] = mine["current-context"]
    return merged


def renewed_kubeconfig(mine: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return `before` with the cluster and user of `mine`; contexts and what else was changed stay.

    Raises:
        UserInputError: `before` is no kubeconfig.
    """
    try:
        merged = merge_kubeconfig(mine, before, switch=False)
        kept = {entry["name"]: entry for entry in before.get("contexts") or ()}
        merged["contexts"] = [kept.get(entry["name"], entry) for entry in merged["contexts"]]
    except (AttributeError, KeyError, TypeError) as error:
        raise UserInputError(f"not a kubeconfig: {error}") from error
    return merged


def merge_into_file(mine: Mapping[str, Any], path: Path, *, switch: bool = True) -> None:
    """Merge `mine` into the kubeconfig at `path`, creating it when absent."""
    write_kubeconfig(path, merge_kubeconfig(mine, load_kubeconfig(path), switch=switch))


def load_access(paths: Path | Sequence[Path], *, context: str | None = None) -> Access:
    """Return how to reach the cluster of `context` (None: the current one).

    Args:
        paths: one file, or several as in ``KUBECONFIG``: the first that has an entry wins.
        context: the context's name.

    Raises:
        UserInputError: a file, the context, its cluster or its user is missing or broken.
    """
    files = [paths] if isinstance(paths, Path) else list(paths)
    documents = [(path, load_kubeconfig(path)) for path in files]
    where = ", ".join(str(path) for path in files)
    current = (doc.get("current-context") for _, doc in documents)
    chosen = context or next(filter(None, current), None)
    if not chosen:
        raise UserInputError(f"{where}: no current context", remedy="Name one with --context.")
    _, found = _entry(documents, "contexts", "context", chosen, where)
    base, cluster = _entry(documents, "clusters", "cluster", found.get("cluster", ""), where)
    user_base = base
    user: dict[str, Any] = {}
    if found.get("user"):
        user_base, user = _entry(documents, "users", "user", found["user"], where)
    ca = _bytes(cluster, "certificate-authority", base)
    token = user.get("token")
    if not token and user.get("tokenFile"):
        token = _read(user_base / user["tokenFile"]).decode().strip()
    return Access(
        server=str(cluster.get("server") or "http://localhost:8080").rstrip("/"),
        namespace=found.get("namespace") or "default",
        ca_pem=ca.decode() if ca else None,
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
        server_name=cluster.get("tls-server-name"),
        token=token,
        client_certificate_pem=_bytes(user, "client-certificate", user_base),
        client_key_pem=_bytes(user, "client-key", user_base),
        username=user.get("username"),
        password=user.get("password"),
        exec=_plugin(user.get("exec"), user_base),
        proxy=cluster.get("proxy-url"),
    )


def _plugin(wanted: Mapping[str, Any] | None, base: Path) -> Mapping[str, Any] | None:
    """Return a credential plug-in; a command with a directory is relative to the kubeconfig's."""
    command = Path(str((wanted or {}).get("command") or ""))
    if wanted and len(command.parts) > 1:
        return {**wanted, "command": str(base / command)}
    return wanted


def _entry(
    documents: Sequence[tuple[Path, Mapping[str, Any]]], section: str, key: str, name: str, where: str
) -> tuple[Path, dict[str, Any]]:
    known: list[str] = []
    for path, document in documents:
        entries = document.get(section) or ()
        for entry in entries if isinstance(entries, list) else ():
            if not isinstance(entry, dict):
                continue
            known.append(str(entry.get("name")))
            found = entry.get(key) or {}
            if entry.get("name") == name and not isinstance(found, dict):
                raise UserInputError(f"{path}: not a kubeconfig: {key} {name!r} is no mapping")
            if entry.get("name") == name:
                return path.parent, found
    raise UserInputError(f"{where}: no {key} {name!r}", remedy=_there(documents, section, known))


def _there(documents: Sequence[tuple[Path, Mapping[str, Any]]], section: str, known: Sequence[str]) -> str:
    """Return what helps who looks for something that is not there."""
    if known:
        return f"The {section} there are: {', '.join(known)}."
    absent = [str(path) for path, _ in documents if not path.exists()]
    return f"There is no file {', '.join(absent)}; KUBECONFIG names files." if absent else ""


def _bytes(entry: Mapping[str, Any], key: str, base: Path) -> bytes | None:
    if data := entry.get(f"{key}-data"):
        try:
            return base64.b64decode(data)
        except binascii.Error as error:
            raise UserInputError(f"{key}-data in the kubeconfig is not base64: {error}") from error
    return _read(base / entry[key]) if entry.get(key) else None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserInputError(f"{path}: named by the kubeconfig, but {error.strerror}") from error
