"""Releases as files: on this machine, or in S3 (``s3://BUCKET/KEY``)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from leeward.base.errors import OperationError, UserInputError

if TYPE_CHECKING:
    from leeward.infra.aws.session import Aws
    from leeward.kube.objects import Obj


def read_release(where: str) -> Obj:
    """Return the release in a file.

    Raises:
        UserInputError: there is no file, or no release in it.
        OperationError: it is damaged.
    """
    import json

    from leeward.delivery.records import API_VERSION
    from leeward.delivery.releases.bundle import bundle_of, release_object

    try:
        found: Any = json.loads(_content(where))
    except ValueError as error:
        raise UserInputError(
            f"{where} is no release: {error}", remedy="`leeward release export` writes one."
        ) from error
    known = isinstance(found, dict) and isinstance(found.get("metadata"), dict)
    if not known or (found.get("apiVersion"), found.get("kind")) != (API_VERSION, "Release"):
        raise UserInputError(f"{where} is no release", remedy="`leeward release export` writes one.")
    bundle = bundle_of(found)
    spec = found["spec"]
    texts = {key: spec[key] for key in ("version", "createdBy") if isinstance(spec.get(key), str)}
    git = spec.get("git") if isinstance(spec.get("git"), dict) else None
    return release_object(
        bundle, version=texts.get("version", ""), created_by=texts.get("createdBy", ""), git=git
    )


def refuse_existing(where: str, *, force: bool) -> None:
    """Refuse to write over a file of this machine, unless that is wanted; S3 decides about its own.

    Raises:
        UserInputError: it is there.
    """
    from leeward.infra.aws.objects import parse_place

    if parse_place(where) is None and Path(where).exists() and not force:
        raise UserInputError(f"{where} exists already", remedy="Use --force to overwrite it.")


def write_release(release: Obj, where: str, *, force: bool) -> None:
    """Write a release into a file, whole or not at all.

    Raises:
        UserInputError: it is in S3, and there already without `force`, or may not be written.
        OperationError: it cannot be written.
    """
    import json

    from leeward.infra.aws.objects import parse_place, write_object

    meta = {key: release["metadata"][key] for key in ("name", "labels") if key in release["metadata"]}
    text = json.dumps({**release, "metadata": meta}, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    if (place := parse_place(where)) is not None:
        write_object(_aws(), place, text.encode(), replace=force)
    else:
        _write_file(Path(where), text)


def _content(where: str) -> bytes:
    from leeward.infra.aws.objects import parse_place, read_object

    if (place := parse_place(where)) is not None:
        return read_object(_aws(), place)
    try:
        return Path(where).read_bytes()
    except OSError as error:
        raise UserInputError(f"{where} cannot be read: {error.strerror}") from error


def _aws() -> Aws:
    from leeward.infra.aws.session import Login, open_aws

    return open_aws(Login(), "us-east-1")  # boto3 finds the region of a bucket by itself


def _write_file(path: Path, text: str) -> None:
    import tempfile

    scratch = None
    try:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as file:
            scratch = Path(file.name)
            file.write(text)
        scratch.chmod(0o644)
        scratch.replace(path)
    except OSError as error:
        if scratch is not None:
            scratch.unlink(missing_ok=True)
        raise OperationError(f"{path} cannot be written: {error.strerror}") from error
