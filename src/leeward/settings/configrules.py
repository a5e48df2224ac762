"""What must hold in ``leeward.yaml`` between environments, clusters and files, and what to do if it does not.

Every rule looks at the whole file and yields what is wrong, so that all mistakes are told at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from leeward.compose.findings import ValuePath, did_you_mean
from leeward.settings.check import Problem
from leeward.settings.config import LOCAL_CLUSTER, LONGEST_PREVIEW, Config
from leeward.settings.verification import misfits

Exists = Callable[[str], bool]
_NO_LABEL = re.compile(r"[^a-z0-9\0]+")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def _unknown(path: ValuePath, what: str, name: str, known: Iterable[str]) -> Problem:
    names = list(known)
    remedy = did_you_mean(name, names) or (f"There are: {', '.join(names)}." if names else "Remove it.")
    return Problem(path, f"unknown-{what}", f'There is no {what} "{name}".', remedy)


def _names(config: Config, _exists: Exists) -> Iterator[Problem]:
    for section, table in (("environments", config.environments), ("clusters", config.clusters)):
        for name in table:
            if not _NAME.fullmatch(name):
                yield Problem(
                    (section, name), "invalid-name", f'"{name}" is not a valid name.',
                    "Use lower-case letters, digits and hyphens.",
                )  # fmt: skip


def _local(config: Config, _exists: Exists) -> Iterator[Problem]:
    local = config.environments.get("local")
    if local is not None and local.namespace is not None:
        yield Problem(
            ("environments", "local", "namespace"), "bad-setting",
            "The namespace of the local environment is the name of the project.",
            "Remove it, or choose another name for the project: app.",
        )  # fmt: skip


def _origins(config: Config, _exists: Exists) -> Iterator[Problem]:
    for name, environment in config.environments.items():
        path, origin = ("environments", name, "from"), environment.from_
        if origin is not None and origin not in config.environments:
            yield _unknown(path, "environment", origin, config.environments)
        elif cycle := _cycle(config, name):
            yield Problem(
                path, "environment-cycle", f"Releases would go round in a circle: {' → '.join(cycle)}.",
                "Let one of them come from the build: remove its from.",
            )  # fmt: skip


def _cycle(config: Config, name: str) -> list[str]:
    """Return the circle that begins and ends at `name`, if it is the first by name in that circle."""
    seen = [name]
    while (origin := config.environments[seen[-1]].from_) in config.environments and origin not in seen:
        seen.append(str(origin))
    closes = config.environments[seen[-1]].from_ == name and name == min(seen)
    return [*reversed([*seen, name])] if closes else []


def _clusters(config: Config, _exists: Exists) -> Iterator[Problem]:
    known = dict.fromkeys((*config.clusters, LOCAL_CLUSTER))
    for name, environment in config.environments.items():
        if environment.cluster not in known:
            yield _unknown(("environments", name, "cluster"), "cluster", environment.cluster, known)
    if config.previews.cluster not in known:
        yield _unknown(("previews", "cluster"), "cluster", config.previews.cluster, known)
    for name, cluster in config.clusters.items():
        ways = [way for way in ("embedded", "context", "spec") if getattr(cluster, way) is not None]
        if len(ways) != 1:
            yield Problem(
                ("clusters", name), "bad-cluster",
                "A cluster is exactly one of embedded, context and spec.",
                "Keep one of them." if ways else "Write embedded: true, or context: NAME.",
            )  # fmt: skip


def _previews(config: Config, _exists: Exists) -> Iterator[Problem]:
    like = config.previews.like
    if like is not None and like not in config.environments:
        yield _unknown(("previews", "like"), "environment", like, config.environments)
    if not 0 < config.previews.ttl <= LONGEST_PREVIEW:
        yield Problem(
            ("previews", "ttl"), "bad-setting", "A preview lives for more than nothing and at most 366 days.",
            "Write a duration such as 48h; what stays is an environment.",
        )  # fmt: skip


def _verifications(config: Config, _exists: Exists) -> Iterator[Problem]:
    for name, environment in config.environments.items():
        for index, wanted in enumerate(environment.verify):
            for key, message, remedy in misfits(wanted):
                path: ValuePath = ("environments", name, "verify", index, *([key] if key else []))
                yield Problem(path, "bad-verification", message, remedy)


def _namespaces(config: Config, _exists: Exists) -> Iterator[Problem]:
    first: dict[tuple[str, str], str] = {}
    for name, environment in config.environments.items():
        namespace = environment.namespace or _usual_namespace(config, name)
        owner = first.setdefault((_place(config, environment.cluster), namespace), name)
        if owner != name:
            shown = environment.namespace or config.environments[owner].namespace or namespace
            yield Problem(
                ("environments", name, "namespace"), "namespace-taken",
                f'{name} and {owner} would have one namespace, "{shown}", on the same cluster.',
                "Give each environment a namespace of its own.",
            )  # fmt: skip


def _usual_namespace(config: Config, environment: str) -> str:
    """Return the namespace of an environment that says none, as `render` calls it."""
    app = config.app or "\0"  # that of the Compose project, which is not known here
    return _NO_LABEL.sub("-", app if environment == "local" else f"{app}-{environment}")


def _place(config: Config, cluster: str) -> str:
    """Return what is the same for two names of one cluster; the embedded one is the one that is reached."""
    written = config.clusters.get(cluster)
    if written is None:
        return "embedded" if cluster == LOCAL_CLUSTER else f"cluster {cluster}"
    if written.context is not None:
        return f"context {written.context}"
    return "embedded" if written.embedded is not None else f"spec {written.spec}"


def _files(config: Config, exists: Exists) -> Iterator[Problem]:
    named: dict[ValuePath, tuple[str, str]] = {
        ("compose", index): ("Compose file", file) for index, file in enumerate(config.compose)
    }
    for name, environment in config.environments.items():
        tables: Mapping[str, tuple[str, tuple[str, ...]]] = {
            "compose": ("Compose file", environment.compose),
            "env_file": ("environment file", environment.env_file),
        }
        for key, (what, files) in tables.items():
            for index, file in enumerate(files):
                named["environments", name, key, index] = (what, file)
    for name, cluster in config.clusters.items():
        if cluster.spec is not None:
            named["clusters", name, "spec"] = ("cluster specification", cluster.spec)
    for path, (what, file) in named.items():
        if not exists(file):
            yield Problem(
                path, "file-not-found", f'The {what} "{file}" does not exist.',
                "Create it, or correct its name; names are relative to leeward.yaml.",
            )  # fmt: skip


_RULES = (_names, _local, _origins, _clusters, _namespaces, _previews, _verifications, _files)


def broken_config_rules(config: Config, exists: Exists) -> Iterator[Problem]:
    """Yield what is wrong between the parts of `config`; `exists` tells of a file named in it."""
    for rule in _RULES:
        yield from rule(config, exists)
