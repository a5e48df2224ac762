"""From a release and what an environment lays over it to a project that can be rendered.

The loader is the one that loads from disk; its files are in memory. The machine of whoever opens a release
has no part in it.

Invariant: what an image is, the release alone decides.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from leeward.base.diagnostics import Diagnostic, Location, Severity
from leeward.base.errors import DiagnosticsError
from leeward.compose.dotenv import parse_dotenv
from leeward.compose.dump import to_document
from leeward.compose.findings import Findings
from leeward.compose.interpolate import MISSING_CODE, missing_name
from leeward.compose.load import LoadOptions, LoadResult, load_project
from leeward.compose.node import Node
from leeward.compose.project import Project
from leeward.delivery.environments.environment import Overlay
from leeward.delivery.releases.bundle import Bundle, Need
from leeward.delivery.releases.concealing import is_secret_name
from leeward.delivery.releases.files import ReleaseReader, files_for, paths_of
from leeward.delivery.releases.inputs import NO_VARIABLES, STANDING
from leeward.delivery.releases.overlays import check_images
from leeward.delivery.releases.places import DIRECTORY, path_of, readable, word_for
from leeward.delivery.releases.standins import stand_in, stand_ins
from leeward.render.render import RenderOptions
from leeward.settings.applied import apply_environment
from leeward.settings.config import FILE_NAME, Config, Environment
from leeward.settings.configfile import ConfigFile


def open_bundle(
    bundle: Bundle,
    overlay: Overlay,
    variables: Mapping[str, str],
    secrets: Mapping[str, bytes],
    environment: str,
    namespace: str | None,
    *,
    embedded: bool = False,
    services: tuple[str, ...] = (),
) -> tuple[Project, RenderOptions]:
    """Return the project of a release as an environment has it, and how to render it.

    Args:
        bundle: of the release.
        overlay: of the environment. Its variables win over `secrets` and `variables`, those of its files with
            variables do not; they all win over the variables of the release.
        variables: of the environment, beside those of the overlay.
        secrets: name → value of the variables and files that are secret; they win over `variables`.
        environment: its name.
        namespace: of the workloads; None for the usual one.
        embedded: it is on leeward's own cluster.
        services: that are enabled whatever their profiles.

    Raises:
        DiagnosticsError: a secret has no value, the overlay has images of its own, or the files cannot be
            used.
    """
    files = {_overlaid(bundle, path): text.encode() for path, text in overlay.files.items()}
    given = {
        **bundle.variables,
        **_read_variables(bundle, overlay),
        **variables,
        **_texts(bundle, secrets, environment),
        **overlay.variables,
    }
    missing = [need for need in bundle.secrets if _is_missing(need, given)]
    values = {**given, **{need.name: stand_in(need.name) for need in missing}}
    paths = [_overlaid(bundle, path) for path in overlay.compose]
    try:
        loaded = load_bundle(
            bundle, values, files=files, compose=paths, profiles=tuple(overlay.profiles), services=services
        )
        base = load_bundle(bundle, values)
    except DiagnosticsError as error:
        follows = any(list(stand_ins(each.message)) for each in error.diagnostics)
        first = [_missing(each, environment) for each in missing] if follows else []
        raise DiagnosticsError(
            first or [_readable(each, environment) for each in error.diagnostics]
        ) from error
    project = loaded.project
    found = [*check_images(bundle, base.project, project, files, paths)]
    found += [_missing(need, environment) for need in missing if need.name in reached(project)]
    content, absent = _secret_files(bundle, project, secrets)
    found += [_missing(need, environment) for need in absent]
    project, more = _sized(bundle, project, overlay, environment)
    if found or more:
        raise DiagnosticsError([*found, *more])
    here = {name: image for name, image in bundle.images.items() if name in project.services}
    return project, RenderOptions(
        environment=environment,
        namespace=namespace,
        embedded=embedded,
        images=here,
        files=files_for(bundle, files, content),
    )


def load_bundle(
    bundle: Bundle,
    variables: Mapping[str, str],
    *,
    files: Mapping[str, bytes] | None = None,
    compose: tuple[str, ...] | list[str] = (),
    profiles: tuple[str, ...] = ("*",),
    services: tuple[str, ...] = (),
) -> LoadResult:
    """Load the files of a release.

    Args:
        bundle: of the release.
        variables: what the files are substituted with, with those that bring secrets.
        files: path → content of more files.
        compose: paths of Compose files laid over those of the release.
        profiles: which are enabled.
        services: that are enabled whatever their profiles.

    Raises:
        DiagnosticsError: the files cannot be used.
    """
    base = [path_of(word_for(name, bundle.shelves)) for name in bundle.compose]
    return load_project(
        LoadOptions(
            working_dir=Path(DIRECTORY),
            files=[*base, *compose],
            project_name=bundle.app,
            env_files=(NO_VARIABLES,),
            profiles=profiles,
            services=services,
            environment={**variables, **STANDING},
            reader=ReleaseReader({**(files or {}), **paths_of(bundle)}),
        )
    )


def reached(project: Project) -> dict[str, list[str]]:
    """Return the variables whose stand-ins got into services that run, with these services."""
    found: dict[str, list[str]] = {}
    for service, document in to_document(project)["services"].items():
        for name in stand_ins(str(document)):
            found.setdefault(name, []).append(service)
    for service, uses in project.services.items():
        for table, named in ((project.secrets, uses.secrets), (project.configs, uses.configs)):
            for use in named:
                source = table[use.source]
                for name in stand_ins(source.content or ""):
                    found.setdefault(name, []).append(service)
    for resource in (*project.networks.values(), *project.volumes.values()):
        for name in stand_ins(str(resource)):
            found.setdefault(name, [])
    return {name: list(dict.fromkeys(services)) for name, services in found.items()}


def _overlaid(bundle: Bundle, path: str) -> str:
    """Return where a file of an environment is; `path` is relative to leeward.yaml."""
    return path_of(posixpath.join(bundle.root, path))


def _read_variables(bundle: Bundle, overlay: Overlay) -> dict[str, str]:
    findings, values = Findings(), dict[str, str]()
    for path in overlay.env_files:
        values |= parse_dotenv(overlay.files[path], {**bundle.variables, **values}, path, findings)
    findings.raise_errors()
    return values


def _texts(bundle: Bundle, secrets: Mapping[str, bytes], environment: str) -> dict[str, str]:
    """Return the values of variables that bring secrets."""
    files = {need.name for need in bundle.secrets if need.kind == "file"}
    found, problems = {}, []
    for name, value in secrets.items():
        try:
            found[name] = value.decode("utf-8")
        except UnicodeDecodeError:
            if name not in files:
                needs = [need for need in bundle.secrets if need.name == name]
                problems += [_missing(need, environment, "is no text") for need in needs]
    if problems:
        raise DiagnosticsError(problems)
    return found


def _is_missing(need: Need, given: Mapping[str, str]) -> bool:
    return need.kind == "variable" and need.required and need.name not in given


def _secret_files(
    bundle: Bundle, project: Project, secrets: Mapping[str, bytes]
) -> tuple[dict[str, bytes], list[Need]]:
    """Return path → content of the files that are secret, and what services need of them and is not there."""
    content: dict[str, bytes] = {}
    absent: list[Need] = []
    known = {need.name: need for need in bundle.secrets if need.kind == "file"}
    used = {use.source for service in project.services.values() for use in service.secrets}
    for key, secret in project.secrets.items():
        if secret.file is None or secret.external:
            continue
        if key in secrets:
            content[secret.file] = secrets[key]
        elif key in used:
            place = project.locations.find("secrets", key)
            here = Need(name=key, kind="file", places=(str(place),) if place else ())
            absent.append(known.get(key, here))
    for need in known.values():
        if need.path and need.name in secrets:
            content[path_of(need.path)] = secrets[need.name]
        elif need.path and set(need.services) & project.services.keys():
            absent.append(need)
    return content, absent


def _missing(need: Need, environment: str, why: str = "has no value") -> Diagnostic:
    file, _, line = next(iter(need.places), "").rpartition(":")
    name = need.name if need.kind == "variable" else f"{need.name}=@FILE"
    what = "is secret and " if need.kind == "file" or is_secret_name(need.name) else ""
    return Diagnostic(
        path="",
        location=Location(file, int(line)) if line.isdigit() else None,
        code="missing-secret",
        severity=Severity.ERROR,
        message=f"{need.name} {what}{why} in {environment}.",
        remedy=f"Give it one: leeward env set {name} --env {environment}",
    )


def _readable(found: Diagnostic, environment: str) -> Diagnostic:
    """Return a finding in words for who knows the environment, and not the files of the release."""
    told = replace(found, message=readable(found.message))
    if found.code != MISSING_CODE:
        return told
    return replace(
        told, remedy=f"Set it: leeward env set {missing_name(found.message)}=… --env {environment}"
    )


def _sized(
    bundle: Bundle, project: Project, overlay: Overlay, environment: str
) -> tuple[Project, list[Diagnostic]]:
    """Return `project` with the sizes and replicas of the environment."""
    written = Environment(size=overlay.size, replicas=dict(overlay.replicas))
    config = Config(app=bundle.app, environments={environment: written})
    return apply_environment(
        ConfigFile(config, DIRECTORY, Node({}, Location(FILE_NAME, 0))), environment, project
    )
