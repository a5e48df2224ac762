"""Takes the values of secrets out of the files of a release; variables of their names take their places.

What is taken out becomes ``${NAME:?…}``, in place: every line keeps its number and every other byte stays.
When the variables are given, the files load to the same project.

Source: ``leeward.delivery.releases.concealing``, for what is secret.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from leeward.compose.dotenv import parse_dotenv
from leeward.compose.findings import Findings
from leeward.compose.interpolate import TemplateError, substitute
from leeward.delivery.releases.concealing import Slot, is_secret_name
from leeward.delivery.releases.marks import Mark, marks_of_compose, marks_of_variables
from leeward.delivery.releases.secretnames import Named, choose_names
from leeward.render.renderers.environment import is_secret

HOW = "set it with leeward env set"
_BOM = "\ufeff"
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")  # anchor and tag of a scalar
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_STANDING = frozenset(("HOME", "PWD"))  # a release has its own


@dataclass(frozen=True, slots=True)
class Text:
    """A file that is to be redacted."""

    content: str
    dotenv: bool = False  # a file of variables, else a Compose file
    raw: bool = False  # of variables, without quotes
    services: tuple[str, ...] = ()  # that have it as ``env_file``
    own: bool = False  # variables get their values from it


@dataclass(frozen=True, slots=True)
class SecretUse:
    """A variable that brings a secret."""

    name: str
    places: tuple[str, ...]  # file:line
    required: bool  # no file has something else to take


@dataclass(frozen=True, slots=True)
class Redacted:
    """Files without the values of secrets."""

    texts: Mapping[str, str]  # by name
    secrets: Mapping[str, SecretUse]
    values: Mapping[str, str]  # of secrets, as far as they are known here; never to be kept
    used: frozenset[str]  # the other variables that the files use


def redact(
    texts: Mapping[str, Text], environment: Mapping[str, str], unset: Collection[str] = ()
) -> Redacted:
    """Return `texts` without the values of secrets.

    Args:
        texts: by name, in the order of loading; each can be loaded.
        environment: what variables are, here.
        unset: variables that are required and have no value here: as good as secret.

    Raises:
        UserInputError: a file without variables has a secret that needs another name.
    """
    return _Redaction(texts, environment, unset).run()


class _Redaction:
    def __init__(
        self, texts: Mapping[str, Text], environment: Mapping[str, str], unset: Collection[str]
    ) -> None:
        self._texts = texts
        self._unset = frozenset(unset)
        self._marks = {name: _marks(text) for name, text in texts.items()}
        self._values: dict[str, str] = {}
        for text in texts.values():
            if text.dotenv:
                content = text.content.removeprefix(_BOM)
                self._values |= parse_dotenv(content, environment, "", Findings(), raw=text.raw)
        self._environment = {**self._values, **environment}
        self._given = environment
        self._secrets: dict[str, tuple[dict[str, None], list[bool]]] = {}
        self._local: dict[str, str] = {}

    def run(self) -> Redacted:
        slots = [(file, mark, slot) for file, mark in self._every() for slot in mark.found.slots]
        used = {use.name for _, mark in self._every() for use in mark.uses}
        used |= {mark.passed for _, mark in self._every() if mark.passed is not None}
        names = choose_names([self._named(*each) for each in slots], used)
        chosen = dict[str, dict[tuple[int, Slot], str]]()
        for (file, mark, slot), name in zip(slots, names, strict=True):
            chosen.setdefault(file, {})[mark.start, slot] = name
            self._need(name, file, mark, required=True)
            self._keep(name, self._value_of(slot, own=self._texts[file].own))
        self._collect_flows()
        texts = {
            file: _rewritten(text, self._marks[file], chosen.get(file, {}))
            for file, text in self._texts.items()
        }
        secrets = {
            name: SecretUse(name, tuple(places), any(required))
            for name, (places, required) in sorted(self._secrets.items())
        }
        return Redacted(texts, secrets, self._local, frozenset(used - secrets.keys() - _STANDING))

    def _every(self) -> Iterator[tuple[str, Mark]]:
        return ((name, mark) for name, marks in self._marks.items() for mark in marks)

    def _collect_flows(self) -> None:
        """Take note of the variables whose own values are secret."""
        flowing = {name for _, mark in self._every() for name in (*mark.found.required, *mark.found.optional)}
        for file, mark in self._every():
            for name in mark.found.required:
                self._need(name, file, mark, required=True)
            for name in mark.found.optional:
                self._need(name, file, mark, required=False)
            replaced = {slot.base for slot in mark.found.slots if slot.default}
            for use in mark.uses:
                if use.name not in replaced and (use.name in flowing or self._is_secret(use.name)):
                    self._need(use.name, file, mark, required=use.operator.endswith("?") or not use.operator)
            if mark.passed is not None and (mark.passed in flowing or self._is_secret(mark.passed)):
                self._need(mark.passed, file, mark, required=True)
        for name in self._secrets:
            if name in self._environment:
                self._keep(name, self._environment[name])

    def _is_secret(self, name: str) -> bool:
        return name in self._unset or is_secret_name(name) or is_secret(name, self._given.get(name, ""))

    def _need(self, name: str, file: str, mark: Mark, *, required: bool) -> None:
        places, kinds = self._secrets.setdefault(name, ({}, []))
        places[f"{file}:{mark.line}"] = None
        kinds.append(required)

    def _keep(self, name: str, value: str) -> None:
        self._local.setdefault(name, value)

    def _named(self, file: str, mark: Mark, slot: Slot) -> Named:
        service, place = min(mark.services, default=""), f"{file}:{mark.line}"
        own = self._texts[file].own and not mark.fixed
        return Named(slot.base, slot.written, service, slot.default, mark.fixed, own, place)

    def _value_of(self, slot: Slot, *, own: bool) -> str:
        """Return what the files mean by `slot` here."""
        if (slot.default or own) and self._environment.get(slot.base):
            return self._environment[slot.base]
        try:
            return substitute(slot.written, self._environment.get)
        except TemplateError:
            return slot.written


def _marks(text: Text) -> list[Mark]:
    content = text.content.removeprefix(_BOM)
    if not text.dotenv:
        return marks_of_compose(content)
    return marks_of_variables(content, dict.fromkeys(text.services), raw=text.raw)


def _rewritten(text: Text, marks: list[Mark], names: Mapping[tuple[int, Slot], str]) -> str:
    bom = _BOM if text.content.startswith(_BOM) else ""
    content = text.content.removeprefix(_BOM)
    parts, position = [bom], 0
    for mark in marks:
        if not mark.found.slots or mark.start < position:
            continue
        edits = [
            (slot.start, slot.end, f"${{{names[mark.start, slot]}:?{HOW}}}") for slot in mark.found.slots
        ]
        raw = content[mark.start : mark.end]
        if text.raw:
            parts.append(content[position : mark.start - 1])  # NAME without "=": from the environment
        else:
            parts += [content[position : mark.start], _value(text, mark, raw, sorted(edits))]
        position = mark.end
    return "".join([*parts, content[position:]])


def _value(text: Text, mark: Mark, raw: str, edits: list[tuple[int, int, str]]) -> str:
    """Return what stands in the place of `raw`, on as many lines."""
    properties = "" if text.dotenv else _PROPERTIES.match(raw)[0]  # type: ignore[index]
    if mark.style in ("|", ">") or (text.dotenv and mark.style != "'"):
        patched = _patched(raw, mark.value, edits)
        if patched is not None:
            return patched
    value, position = "", 0
    for start, end, new in edits:
        value += mark.value[position:start] + new
        position = end
    value += mark.value[position:]
    breaks = "".join(_BREAK.findall(raw[len(properties) :]))
    return properties + (value if text.dotenv else _quoted(value)) + breaks


def _patched(raw: str, value: str, edits: list[tuple[int, int, str]]) -> str | None:
    """Return `raw` with the parts that are taken out of `value`; None where they are written otherwise."""
    if edits[0][:2] == (0, len(value)):
        return None
    parts, position = [], 0
    for start, end, new in edits:
        old = value[start:end]
        found = raw.find(old, position)
        if found < 0 or "\n" in old or raw.count(old) != value.count(old):
            return None
        for _ in range(value.count(old, 0, start) - raw.count(old, 0, found)):
            found = raw.find(old, found + 1)
        parts += [raw[position:found], new]
        position = found + len(old)
    return "".join([*parts, raw[position:]])


def _quoted(value: str) -> str:
    """Return a YAML scalar on one line."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", escaped) + '"'
