"""A first ``leeward.yaml`` for a Compose project: what its files suggest, with a comment at every choice.

The environments are the usual way of a release, ci → qa → uat → production → demo. A Compose file or a file
of variables that is named after one of them, such as ``compose.prod.yaml`` or ``.env.qa``, becomes its own.

Invariant: what is written here is read back without a finding.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from leeward.compose.scalars import resolve_plain
from leeward.compose.source import FILE_NAMES, OVERRIDE_NAMES

ENVIRONMENTS: Mapping[str, tuple[str, ...]] = {  # name → the words that files use for it, best first
    "ci": ("ci", "test", "testing"),
    "qa": ("qa",),
    "uat": ("uat", "staging", "stage", "preprod"),
    "production": ("production", "prod", "prd", "live"),
    "demo": ("demo",),
}
_DEVELOPMENT = ("dev", "development", "local", "override")
_COMPOSE = re.compile(r"(?:docker-)?compose[.-](.+)\.ya?ml")
_VARIABLES = re.compile(r"\.env\.(.+)|(.+)\.env")
_PLAIN = re.compile(r"[A-Za-z0-9./_][A-Za-z0-9./_-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """What the files of a project suggest."""

    app: str
    compose: tuple[str, ...]  # relative to the project's directory
    override: str | None  # for development only
    layers: Mapping[str, str]  # environment → Compose file
    env_files: Mapping[str, str]  # environment → file with variables
    unused: tuple[str, ...]  # Compose files that no environment is named after


def suggest(app: str, files: Iterable[str], names: Iterable[str]) -> Suggestion:
    """Return what is to be proposed.

    Args:
        app: the Compose project's name.
        files: the Compose files that are loaded, in order, relative to the directory.
        names: the names of all files in the directory.
    """
    loaded = tuple(files)
    override = next((name for name in loaded if name in OVERRIDE_NAMES), None)
    base = tuple(name for name in loaded if name != override)
    others = sorted(set(names) - {*loaded, *FILE_NAMES, *OVERRIDE_NAMES})
    layers = _by_environment(others, _COMPOSE)
    unused = (
        name
        for name in others
        if (match := _COMPOSE.fullmatch(name))
        and match[1] not in _DEVELOPMENT
        and name not in layers.values()
    )
    return Suggestion(
        app=app,
        compose=base,
        override=override,
        layers=layers,
        env_files=_by_environment(others, _VARIABLES),
        unused=tuple(unused),
    )


def _by_environment(names: Iterable[str], pattern: re.Pattern[str]) -> dict[str, str]:
    """Return environment → the file whose name has the best word for it."""
    by_word: dict[str, str] = {}
    for name in names:
        if match := pattern.fullmatch(name):
            by_word.setdefault(next(filter(None, match.groups())).lower(), name)
    found = {}
    for environment, words in ENVIRONMENTS.items():
        if word := next((word for word in words if word in by_word), None):
            found[environment] = by_word[word]
    return found


_SETTINGS: Mapping[str, tuple[str, ...]] = {  # environment → its lines after cluster and files
    "ci": ("access: {developers: admin}",),
    "qa": (
        "# verify: [smoke-tests]  # services that are run after a release and must end with 0",
        "access: {developers: edit, qa: edit}",
    ),
    "uat": ("approvals: 1  # people who must agree", "access: {developers: view, devops: admin}"),
    "production": (
        "approvals: 2",
        "soak: 2h  # how long a release must have been good in uat",
        '# freeze: ["Fri 16:00/Mon 08:00 UTC"]  # no releases at these times',
        "access: {developers: none, devops: promote, cloudops: admin}",
    ),
    "demo": ("access: {developers: view, devops: admin}",),
}
_CLUSTERS = {"ci": "local", "qa": "staging", "uat": "staging"}  # others are on production


def propose(found: Suggestion) -> str:
    """Return the text of the file."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Suggestion) -> Iterator[str]:
    yield "# The environments of this application and the clusters they are on."
    yield "# `leeward render --env qa` shows what an environment runs; without --env it is this machine."
    yield from ("", f"app: {_text(found.app)}  # its name; namespaces are <app>-<environment>", "")
    yield "# Its Compose files, relative to this file."
    if found.override:
        yield f"# {found.override} is for development: `leeward up` uses it, environments do not."
    yield f"compose: {_list(found.compose)}"
    if found.unused:
        yield f"# Not used by any environment yet: {', '.join(found.unused)}"
    yield from (
        "",
        "# A release is built once and goes from one environment to the next. Each may lay Compose files",
    )
    yield "# over those above, for its hosts, sizes and replicas, and set variables."
    yield "environments:"
    origin = None
    for name, settings in _SETTINGS.items():
        yield f"  {name}:"
        yield f"    cluster: {_CLUSTERS.get(name, 'production')}"
        if origin:
            yield f"    from: {origin}  # where its releases come from"
        yield from _files(found, name)
        yield from (f"    {line}" for line in settings)
        origin = name
    yield from (
        "",
        "# Where they run: leeward's own cluster, or contexts of your kubeconfig.",
    )
    yield "clusters:"
    yield "  local: {embedded: {zones: 3, nodes_per_zone: 2}}"
    yield from ("  staging: {context: staging}", "  production: {context: production}")


def _files(found: Suggestion, name: str) -> Iterator[str]:
    layer, variables = found.layers.get(name), found.env_files.get(name)
    if layer:
        yield f"    compose: {_list((layer,))}"
    elif name != "ci":
        yield f"    # compose: [compose.{name}.yaml]"
    if variables:
        yield f"    env_file: {_list((variables,))}  # instead of .env"


def _list(names: Iterable[str]) -> str:
    """Return a list of names in YAML."""
    return f"[{', '.join(map(_text, names))}]"


def _text(text: str) -> str:
    """Return a string in YAML, quoted where it would be read as something else."""
    plain = _PLAIN.fullmatch(text) and isinstance(resolve_plain(text), str)
    return text if plain else "'" + text.replace("'", "''") + "'"
