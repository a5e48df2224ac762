"""Values from AWS Secrets Manager and Systems Manager parameters, for variables and secrets of environments.

A value is named ``secretsmanager:NAME``, with ``#KEY`` one key of a secret that is a JSON mapping, or
``ssm:/PATH``. Several at once are a secret that is a mapping, all secrets below ``secretsmanager:PREFIX/``,
or all parameters below ``ssm:/PATH/``; each is named by its key, or by the last part of its name.

Invariant: values are in no message.
Source: GetSecretValue and ListSecrets of AWS Secrets Manager, GetParameter and GetParametersByPath of AWS
Systems Manager.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from leeward.base.errors import UserInputError
from leeward.infra.aws.errors import AwsNotFoundError
from leeward.infra.aws.session import Aws

SCHEMES = ("secretsmanager", "ssm")
_WAYS = "Write secretsmanager:NAME, secretsmanager:NAME#KEY or ssm:/PATH; with a / at the end, all below it."


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a value, or several, are in AWS."""

    scheme: str  # one of SCHEMES
    name: str  # of the secret or parameter; with a / at the end, of all below
    key: str | None = None  # of a secret that is a mapping

    @property
    def is_folder(self) -> bool:
        """Whether it names all that is below."""
        return self.name.endswith("/")

    def __str__(self) -> str:
        return f"{self.scheme}:{self.name}" + (f"#{self.key}" if self.key else "")


def parse_reference(text: str) -> Reference | None:
    """Return where a value is, when `text` names a place in AWS.

    Raises:
        UserInputError: it does, and is not complete.
    """
    scheme, colon, rest = text.partition(":")
    if not colon or scheme not in SCHEMES:
        return None
    name, has_key, key = rest.partition("#")
    if not name or (has_key and (not key or scheme == "ssm" or name.endswith("/"))):
        raise UserInputError(f"{text} names no value", remedy=_WAYS)
    return Reference(scheme, name, key or None)


def read_value(aws: Aws, where: Reference) -> bytes:
    """Return one value.

    Raises:
        UserInputError: it is not there, has no such key, or names several.
    """
    if where.is_folder:
        raise UserInputError(
            f"{where} names several values", remedy=f"Import them: leeward env import {where}"
        )
    found = _parameter(aws, where) if where.scheme == "ssm" else _secret(aws, where)
    if where.key is None:
        return found
    mapping = _mapping(found)
    if mapping is None:
        raise UserInputError(f"{where.name} is no JSON mapping", remedy="Leave out the # and what follows.")
    if where.key not in mapping:
        raise UserInputError(
            f"the secret {where.name} has no key {where.key!r}",
            remedy=f"It has: {', '.join(sorted(mapping))}.",
        )
    return mapping[where.key]


def read_values(aws: Aws, where: Reference) -> dict[str, bytes]:
    """Return name → value of all that a reference names.

    Raises:
        UserInputError: there is nothing, or two have the same name.
    """
    if where.scheme == "ssm":
        found = _parameters(aws, where) if where.is_folder else [(where.name, _parameter(aws, where))]
    elif where.is_folder:
        found = _secrets(aws, where)
    else:
        one = read_value(aws, where)
        mapping = _mapping(one) if where.key is None else None
        found = [*mapping.items()] if mapping is not None else [(where.key or where.name, one)]
    values: dict[str, bytes] = {}
    for name, value in found:
        last = name.rstrip("/").rpartition("/")[2]
        if last in values:
            raise UserInputError(
                f"{where} has two values that would be named {last}", remedy="Import them apart."
            )
        values[last] = value
    if not values:
        raise UserInputError(
            f"there is nothing below {where} in {aws.region}", remedy="See whether name and region are right."
        )
    return values


def _secret(aws: Aws, where: Reference) -> bytes:
    try:
        return _content(aws.ask("secretsmanager", "get_secret_value", SecretId=where.name))
    except AwsNotFoundError:
        raise UserInputError(
            f"there is no secret {where.name} in {aws.region}",
            remedy="See whether name and region are right.",
        ) from None


def _content(answer: Mapping[str, Any]) -> bytes:
    text = answer.get("SecretString")
    return text.encode() if isinstance(text, str) else bytes(answer["SecretBinary"])


def _secrets(aws: Aws, where: Reference) -> list[tuple[str, bytes]]:
    filters = [{"Key": "name", "Values": [where.name]}]
    names = [
        str(each["Name"])
        for page in aws.pages("secretsmanager", "list_secrets", Filters=filters)
        for each in page["SecretList"]
        if str(each["Name"]).startswith(where.name)
    ]
    return [(name, _secret(aws, Reference(where.scheme, name))) for name in sorted(names)]


def _parameter(aws: Aws, where: Reference) -> bytes:
    try:
        answer = aws.ask("ssm", "get_parameter", Name=where.name, WithDecryption=True)
    except AwsNotFoundError:
        raise UserInputError(
            f"there is no parameter {where.name} in {aws.region}",
            remedy="See whether name and region are right.",
        ) from None
    return str(answer["Parameter"]["Value"]).encode()


def _parameters(aws: Aws, where: Reference) -> Iterable[tuple[str, bytes]]:
    path = where.name.rstrip("/") or "/"
    pages = aws.pages("ssm", "get_parameters_by_path", Path=path, Recursive=True, WithDecryption=True)
    return [(str(each["Name"]), str(each["Value"]).encode()) for page in pages for each in page["Parameters"]]


def _mapping(content: bytes) -> dict[str, bytes] | None:
    """Return the values of a secret that is a JSON mapping of scalars; None when it is none."""
    try:
        found = json.loads(content)
    except ValueError:
        return None
    if not isinstance(found, dict) or any(isinstance(value, (dict, list)) for value in found.values()):
        return None
    return {
        str(key): (value if isinstance(value, str) else json.dumps(value)).encode()
        for key, value in found.items()
    }
