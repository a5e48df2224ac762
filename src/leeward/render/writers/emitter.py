"""One object as YAML that people review: block style, literal blocks for long text.

PyYAML decides how a scalar is written; the structure around it, and the plain words that most scalars
are, are written here, because PyYAML's emitter takes ten times as long for the manifests of a large
project.

Invariants: the bytes are those of ``yaml.dump`` with the same settings, which a test compares; the same
objects give the same bytes; what is written reads back as the same values by YAML 1.1 and 1.2 readers
alike (``1e3``, ``0o17``, ``on`` stay text); no anchors.

Source: kubectl reads YAML through ``sigs.k8s.io/yaml`` (go-yaml), which resolves more plain scalars
as numbers than PyYAML does, hence the quoting here.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import yaml

from leeward.kube.objects import Obj

_Base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_NUMBER_ELSEWHERE = re.compile(
    r"[-+]?(?:0[xXoObB][0-9a-fA-F_]+|[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?)"
)
_WORD_ELSEWHERE = frozenset({"y", "Y", "n", "N"})
_IN_WORD = r"[A-Za-z0-9_./@=,()$+-]"
_PLAIN = re.compile(rf"[A-Za-z/_]{_IN_WORD}*(?::{_IN_WORD}+)*(?: {_IN_WORD}+(?::{_IN_WORD}+)*)*").fullmatch
_DIGITS = re.compile(r"[0-9]+").fullmatch
_JSON = re.compile(
    r"[\[{][ -&(-~]*[\]}]"
).fullmatch  # what annotations hold: quoted, without quotes to double
_WORD = re.compile(r"(?i:y|n|yes|no|on|off|true|false|null)").fullmatch
_KEPT = 1 << 16  # scalars whose text is remembered


class _Dumper(_Base):  # type: ignore[misc]  # the base is chosen at run time: libyaml when it is there
    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: Any, value: str) -> Any:
    style = None
    if (
        "\n" in value
        and not re.search(r"[ \t]\n|[^\n\t\x20-\x7e\xa0-\ufffd]", value)
        and value[:1] not in " \t\n"
    ):
        style = "|"
    elif value in _WORD_ELSEWHERE or _NUMBER_ELSEWHERE.fullmatch(value):
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def dump(value: object) -> str:
    """Return `value` as PyYAML writes it."""
    text: str = yaml.dump(
        value,
        Dumper=_Dumper,
        default_flow_style=False,
        sort_keys=False,
        allow_unicode=True,
        width=4096,
    )
    return text


def _dump_value(value: object) -> str:
    """Return what follows ``key:``; another key comes after it, as text at the end may want a ``...``."""
    return dump({"k": value, "z": 0})[2:].rpartition("\nz: 0\n")[0]


@lru_cache(_KEPT)
def _string(value: str) -> str:
    """Return a value as it follows ``key:`` in column 0, with the space before it."""
    if len(value) < 1024 and _PLAIN(value) and not _WORD(value):
        return f" {value}"
    if _DIGITS(value):
        return f' "{value}"'
    return f" '{value}'" if len(value) < 1024 and _JSON(value) else _dump_value(value)


@lru_cache(_KEPT)
def _key(value: str) -> str:
    """Return a key with its colon."""
    if _PLAIN(value) and not _WORD(value):
        return f"{value}:"
    text = dump({value: 0})
    if text.startswith("? ") or "\n" in value:  # PyYAML would write an explicit key, which few people know
        quoted: str = yaml.dump(value, Dumper=_Base, default_style='"', allow_unicode=True, width=1 << 30)
        return f"{quoted[:-1]}:"
    return text[:-3]


def _scalar(value: Any, indent: str) -> str:
    if type(value) is str:
        text = _string(value)
        return text if "\n" not in text else re.sub(r"\n(?=[^\n])", f"\n{indent}", text)
    if value is True or value is False:
        return " true" if value else " false"
    if type(value) is int:
        return f" {value}"
    return _dump_value(value)  # null, floats, empty collections


def _mapping(value: dict[str, Any], indent: str, lines: list[str], first: str) -> None:
    """Write a mapping that is not empty; `first` stands before its first key."""
    lead = first
    for key, item in value.items():
        head = lead + _key(key)
        lead = indent
        kind = item.__class__
        if kind is dict and item:
            lines.append(head)
            inner = indent + "  "
            _mapping(item, inner, lines, inner)
        elif kind is list and item:
            lines.append(head)
            _sequence(item, indent, lines, indent)
        else:
            lines.append(head + _scalar(item, indent))


def _sequence(value: list[Any], indent: str, lines: list[str], first: str) -> None:
    """Write a list that is not empty, its dashes in the column of `indent`."""
    lead = first + "-"
    inner = indent + "  "
    for item in value:
        kind = item.__class__
        if kind is dict and item:
            _mapping(item, inner, lines, lead + " ")
        elif kind is list and item:
            _sequence(item, inner, lines, lead + " ")
        else:
            lines.append(lead + _scalar(item, indent))
        lead = indent + "-"


def to_yaml(obj: Obj) -> str:
    """Return one object as a YAML document without separator."""
    if not obj:
        return dump(obj)
    lines: list[str] = []
    _mapping(obj, "", lines, "")
    return "\n".join(lines) + "\n"
