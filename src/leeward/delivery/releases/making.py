"""Makes the bundle of a release of a recorded project, and finds values of secrets that would stay in it.

Models and objects in a bundle are made with stand-ins for secrets, so that nothing in it depends on the
values that whoever makes it has.
"""

from __future__ import annotations

import posixpath
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from leeward.base.diagnostics import Diagnostic, Location, Severity
from leeward.compose.dump import to_text
from leeward.compose.project import Project
from leeward.delivery.releases.bundle import Bundle, Need
from leeward.delivery.releases.files import files_for
from leeward.delivery.releases.inputs import ENVIRONMENT, Recorded
from leeward.delivery.releases.opening import load_bundle, reached
from leeward.delivery.releases.places import name_of, path_of, readable, shelve, word_of
from leeward.delivery.releases.redact import HOW, Redacted, SecretUse, Text, redact
from leeward.delivery.releases.standins import stand_in
from leeward.render.render import RenderOptions, render

_VARIABLES, _LABELS = "environment file", "label file"  # what the loader calls them
_TELLING = 8  # characters: shorter values stand in texts by chance


@dataclass(frozen=True, slots=True)
class Made:
    """A bundle, and what is not in it."""

    bundle: Bundle
    values: Mapping[str, bytes]  # of secrets, as far as this machine has them; never to be kept
    findings: tuple[Diagnostic, ...]  # warnings


def make_bundle(recorded: Recorded, images: Mapping[str, str], root: str = ".") -> Made:
    """Return the bundle of a project.

    Args:
        recorded: the project.
        images: service → reference with a digest.
        root: word of the directory of leeward.yaml.

    Raises:
        DiagnosticsError: the files cannot be used without the values of secrets.
        UserInputError: a secret cannot be taken out of a file.
    """
    redacted = redact(texts_of(recorded), recorded.environment, recorded.unset)
    files = recorded.notes.files | {word: text.encode() for word, text in redacted.texts.items()}
    known = [*files, *(word_of(each) for each in _secret_paths(recorded))]
    shelves = shelve(known)
    variables = {name: recorded.environment[name] for name in redacted.used if name in recorded.environment}
    draft = Bundle(
        app=recorded.project.name,
        compose=[name_of(word, shelves) for word in recorded.compose],
        files={name_of(word, shelves): data for word, data in files.items()},
        shelves=shelves,
        root=root,
        executable=sorted(name_of(word, shelves) for word in recorded.notes.executable & files.keys()),
        places={word: place for word, place in recorded.notes.places.items() if word not in files},
        links=recorded.notes.links,
        images=images,
        variables=variables,
    )
    bundle = _completed(draft, recorded, redacted)
    values = {name: value.encode() for name, value in redacted.values.items() if name in redacted.secrets}
    values |= _read_secret_files(recorded)
    variable = {name_of(word, shelves) for word in redacted.texts}
    return Made(bundle, values, tuple(_left(bundle, values, variable)))


def texts_of(recorded: Recorded) -> dict[str, Text]:
    """Return the files that have variables, by word."""
    services: dict[str, list[str]] = {}
    raw: set[str] = set()
    for name, service in recorded.project.services.items():
        for file in service.env_file:
            services.setdefault(word_of(file.path), []).append(name)
            if file.format == "raw":
                raw.add(word_of(file.path))
    texts = {}
    for word, kinds in recorded.notes.kinds.items():
        if _LABELS not in kinds:
            content = recorded.notes.files[word].decode("utf-8")
            dotenv = _VARIABLES in kinds
            own = word == ".env"
            texts[word] = Text(content, dotenv, word in raw, tuple(services.get(word, ())), own)
    return texts


def _secret_paths(recorded: Recorded) -> Iterator[str]:
    for secret in recorded.project.secrets.values():
        if secret.file is not None and not secret.external:
            yield secret.file


def _completed(draft: Bundle, recorded: Recorded, redacted: Redacted) -> Bundle:
    """Return `draft` with what is made of its own files, and what it needs of secrets."""
    required = {use.name: stand_in(use.name) for use in redacted.secrets.values() if use.required}
    project = load_bundle(draft, {**draft.variables, **required}).project
    everything = {name: stand_in(name) for name in redacted.secrets}
    users = reached(load_bundle(draft, {**draft.variables, **everything}).project)
    needs = [_variable(use, users.get(use.name, [])) for use in redacted.secrets.values()]
    needs += _files(recorded)
    content = {
        path: stand_in(word_of(path)).encode()
        for path in (*_secret_paths(recorded), *map(path_of, recorded.notes.keys.values()))
    }
    options = RenderOptions(
        environment=ENVIRONMENT,
        images=draft.images,
        include_secret_values=False,
        files=files_for(draft, {}, content),
    )
    return replace(
        draft,
        secrets=tuple(sorted(needs, key=lambda need: (need.kind, need.name))),
        model=_model(project, redacted),
        rendered=tuple(render(project, options).objects),
    )


def _model(project: Project, redacted: Redacted) -> str:
    text = readable(to_text(project))
    for name in redacted.secrets:
        text = text.replace(stand_in(name), f"${{{name}:?{HOW}}}")
    return text


def _variable(use: SecretUse, services: list[str]) -> Need:
    return Need(
        name=use.name, kind="variable", services=tuple(services), places=use.places, required=use.required
    )


def _files(recorded: Recorded) -> Iterator[Need]:
    """Yield what is needed of files that are secret."""
    project = recorded.project
    for key, secret in project.secrets.items():
        if secret.file is not None and not secret.external:
            users = [
                name
                for name, service in project.services.items()
                if any(use.source == key for use in service.secrets)
            ]
            places = _place(project, "secrets", key)
            yield Need(name=key, kind="file", services=tuple(users), places=places, required=bool(users))
    for key, word in recorded.notes.keys.items():
        users, lines = [], dict[str, None]()
        for name, service in project.services.items():
            for index, mount in enumerate(service.volumes):
                if mount.type == "bind" and mount.source and _has(mount.source, path_of(word)):
                    users.append(name)
                    lines |= dict.fromkeys(_place(project, "services", name, "volumes", index))
        yield Need(name=key, kind="file", services=tuple(users), places=tuple(lines), path=word)


def _place(project: Project, *path: str | int) -> tuple[str, ...]:
    place = project.locations.find(*path)
    return (str(place),) if place is not None else ()


def _has(directory: str, path: str) -> bool:
    return path == posixpath.normpath(directory) or path.startswith(posixpath.normpath(directory) + "/")


def _read_secret_files(recorded: Recorded) -> dict[str, bytes]:
    found = {}
    for name, path in recorded.secret_files.items():
        try:
            found[name] = Path(path).read_bytes()
        except OSError:
            continue  # an environment's value is asked for when it is needed
    return found


def _left(bundle: Bundle, values: Mapping[str, bytes], variable: Container[str]) -> Iterator[Diagnostic]:
    """Yield a warning for every value of a secret that also stands where nothing says that it is one.

    Args:
        bundle: what is looked through.
        values: of secrets.
        variable: names of the files that may have variables.
    """
    for name, value in values.items():
        if len(value) < _TELLING or value.isalpha():
            continue
        for file, content in bundle.files.items():
            position = content.find(value)
            if position >= 0:
                yield Diagnostic(
                    path="",
                    location=Location(file, content.count(b"\n", 0, position) + 1),
                    code="secret-in-release",
                    severity=Severity.WARNING,
                    message=f"The value of {name} is also here, and will be in the release.",
                    remedy=(
                        f"Write ${{{name}}} here, or remove it."
                        if file in variable
                        else "Let the file be a Compose secret, or remove the value."
                    ),
                )
