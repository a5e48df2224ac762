"""What a release contains, and the object that keeps it.

Everything that makes the manifests of an environment, but the values of secrets and what the environment
itself adds: Compose files and all files that they need, images by digest, variables.

Invariant: the same project gives the same content, and so the same digest, in any directory and checkout.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from leeward.base.errors import OperationError
from leeward.delivery.records import digest_of, pack, record, release_name, unpack
from leeward.kube.objects import Obj

FORMAT = 1  # of the content
Kind = Literal["variable", "file"]
Git = Mapping[str, Any]  # commit, branch, dirty


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A secret that every environment has to have a value for."""

    name: str
    kind: Kind
    services: Sequence[str] = ()  # that get it
    places: Sequence[str] = ()  # file:line
    required: bool = True  # without it, the files have nothing else to take
    path: str = ""  # of a mounted file that is one: its word (``leeward.delivery.releases.places``)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What a release contains. Words for paths are those of ``leeward.delivery.releases.places``."""

    app: str
    compose: Sequence[str]  # names of the base Compose files, in order of merging
    files: Mapping[str, bytes]  # by name: the path in the project, or on a shelf for what is outside of it
    shelves: Mapping[str, str] = field(default_factory=dict)  # "_outside/0" → word of the directory
    root: str = "."  # word of the directory of leeward.yaml
    executable: Sequence[str] = ()  # names of files
    places: Mapping[str, str] = field(default_factory=dict)  # word → what is there that is not in `files`
    links: Mapping[str, str] = field(default_factory=dict)  # word → word of what it leads to
    images: Mapping[str, str] = field(default_factory=dict)  # service → "registry/web@sha256:…"
    variables: Mapping[str, str] = field(default_factory=dict)  # that the files use, none of them secret
    secrets: Sequence[Need] = ()
    model: str = ""  # the project as one Compose file, with variables for secrets
    rendered: Sequence[Obj] = ()  # for no environment, without Secrets

    @property
    def digest(self) -> str:
        """``sha256:…`` of the content."""
        return digest_of(self.to_content())

    @property
    def id(self) -> str:
        """The name of the release."""
        return release_name(self.app, self.digest)

    def to_content(self) -> Obj:
        """Return everything as plain JSON."""
        return {
            "format": FORMAT,
            "app": self.app,
            "compose": list(self.compose),
            "files": {name: _written(data) for name, data in self.files.items()},
            "shelves": dict(self.shelves),
            "root": self.root,
            "executable": sorted(self.executable),
            "places": dict(self.places),
            "links": dict(self.links),
            "images": dict(self.images),
            "variables": dict(self.variables),
            "secrets": [_need(each) for each in self.secrets],
            "model": self.model,
            "rendered": list(self.rendered),
        }

    @classmethod
    def from_content(cls, content: Any, what: str = "the release") -> Bundle:
        """Return the bundle of a content.

        Raises:
            OperationError: it is damaged, or of a later leeward; `what` says what it is of.
        """
        if isinstance(content, Mapping) and content.get("format") not in (None, FORMAT):
            raise OperationError(f"{what} was made by a later leeward", remedy="Update leeward.")
        try:
            return _read(content)
        except (KeyError, TypeError, ValueError, AttributeError, binascii.Error) as error:
            raise OperationError(f"{what} is damaged: {error!r}") from error


def _written(data: bytes) -> Any:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode("ascii")}


def _need(need: Need) -> Obj:
    return {
        "name": need.name,
        "kind": need.kind,
        "services": list(need.services),
        "places": list(need.places),
        "required": need.required,
        "path": need.path,
    }


def _read(content: Mapping[str, Any]) -> Bundle:
    files = {
        name: data.encode() if isinstance(data, str) else base64.b64decode(data["base64"], validate=True)
        for name, data in content["files"].items()
    }
    if missing := [name for name in content["compose"] if name not in files]:
        raise ValueError(f"there is no {missing[0]}")
    return Bundle(
        app=content["app"],
        compose=tuple(content["compose"]),
        files=files,
        shelves=content["shelves"],
        root=content["root"],
        executable=tuple(content["executable"]),
        places=content["places"],
        links=content["links"],
        images=content["images"],
        variables=content["variables"],
        secrets=tuple(_read_need(each) for each in content["secrets"]),
        model=content["model"],
        rendered=tuple(content["rendered"]),
    )


def _read_need(need: Mapping[str, Any]) -> Need:
    return Need(**{**need, "services": tuple(need["services"]), "places": tuple(need["places"])})


def release_object(bundle: Bundle, *, version: str = "", created_by: str = "", git: Git | None = None) -> Obj:
    """Return the object that keeps a release in a hub.

    Raises:
        OperationError: it is too large.
    """
    digest = bundle.digest
    spec: Obj = {
        "app": bundle.app,
        "digest": digest,
        "images": dict(bundle.images),
        "content": pack(bundle.to_content(), "the release"),
    }
    spec |= {key: value for key, value in (("version", version), ("createdBy", created_by)) if value}
    if git:
        spec["git"] = dict(git)
    return record("Release", bundle.app, release_name(bundle.app, digest), spec)


def bundle_of(release: Obj) -> Bundle:
    """Return what a release contains.

    Raises:
        OperationError: it is damaged: its digest or its name is not that of its content.
    """
    name = str(release["metadata"].get("name"))
    spec = release.get("spec")
    if not isinstance(spec, Mapping) or not isinstance(spec.get("content"), str):
        raise OperationError(f"release {name} is damaged: it has no content")
    content = unpack(spec["content"], f"release {name}")
    digest = digest_of(content)
    bundle = Bundle.from_content(content, f"release {name}")
    if spec.get("digest") != digest:
        raise OperationError(f"release {name} is damaged: its digest is not that of its content")
    if name != release_name(bundle.app, digest) or spec.get("images") != dict(bundle.images):
        raise OperationError(f"release {name} is damaged: its name or images are not those of its content")
    return bundle
