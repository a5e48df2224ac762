"""Objects of S3 as files: ``s3://BUCKET/KEY``.

Source: GetObject, HeadObject and PutObject of the Amazon S3 API reference, conditional writes among them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from leeward.base.errors import UserInputError
from leeward.infra.aws.errors import AwsNotFoundError, AwsThereAlreadyError
from leeward.infra.aws.session import Aws

SCHEME = "s3://"
_BUCKET = re.compile(r"[a-z0-9][-.a-z0-9]{1,61}[a-z0-9]")


@dataclass(frozen=True, slots=True)
class S3Place:
    """An object of S3, which need not be there."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.key}"


def parse_place(text: str) -> S3Place | None:
    """Return the object that `text` names, when it begins with ``s3://``.

    Raises:
        UserInputError: it does, and names no object.
    """
    if not text.startswith(SCHEME):
        return None
    bucket, _, key = text.removeprefix(SCHEME).partition("/")
    if not _BUCKET.fullmatch(bucket) or not key or key.endswith("/"):
        raise UserInputError(f"{text} names no object of S3", remedy="Write s3://BUCKET/KEY.")
    return S3Place(bucket, key)


def read_object(aws: Aws, place: S3Place) -> bytes:
    """Return what is in an object.

    Raises:
        UserInputError: it is not there, or may not be read.
    """
    try:
        body: Any = aws.ask("s3", "get_object", Bucket=place.bucket, Key=place.key)["Body"]
    except AwsNotFoundError as error:
        raise UserInputError(
            f"{place} is not there", remedy="See whether bucket and key are right."
        ) from error
    with body:
        content: bytes = body.read()
    return content


def write_object(aws: Aws, place: S3Place, content: bytes, *, replace: bool) -> None:
    """Write an object, whole or not at all, encrypted as its bucket says.

    Args:
        aws: a session.
        place: where.
        content: what.
        replace: whether one that is there may be written over.

    Raises:
        UserInputError: it is there already, or may not be written.
    """
    condition = {} if replace else {"IfNoneMatch": "*"}
    try:
        aws.ask(
            "s3", "put_object", Bucket=place.bucket, Key=place.key, Body=content,
            ContentType="application/json", **condition,
        )  # fmt: skip
    except AwsThereAlreadyError as error:
        raise UserInputError(f"{place} exists already", remedy="Use --force to overwrite it.") from error
    except AwsNotFoundError as error:
        raise UserInputError(
            f"there is no bucket {place.bucket}", remedy="See whether name and account are right."
        ) from error
