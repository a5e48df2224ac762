"""What settings are made of: documented fields, and words and numbers that know how to explain themselves.

Settings are frozen dataclasses. pydantic checks what people wrote (see ``check``) and is imported only then:
a project without settings does not pay for it. A class that annotates a type here says what is accepted,
as a schema for pydantic, as JSON schema for editors, and in words for whoever wrote something else.

Source: "Custom types" of the pydantic documentation; the Kubernetes API conventions for names and quantities.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from leeward.compose.scalars import scalar_text

Metadata = Mapping[str, Any]
UNFIT = "unfit"  # the type of the errors that are raised here; their message says what is wanted
_JSON_TYPES = {bool: "boolean", str: "string", int: "integer", list: "array"}


def doc(text: str, *, becomes: str = "", example: Any = None) -> Metadata:
    """Return what is known about a field.

    Args:
        text: what it means.
        becomes: the Kubernetes field or object that it turns into.
        example: a value, as YAML would have it.
    """
    found: dict[str, Any] = {"description": text, "becomes": becomes}
    return found if example is None else {**found, "examples": [example]}


def camel_case(field: str) -> str:
    """Return the key of a field in ``x-leeward``: camelCase, as Kubernetes writes keys."""
    first, *rest = field.rstrip("_").split("_")
    return first + "".join(word.capitalize() for word in rest)


def snake_case(field: str) -> str:
    """Return the key of a field in ``leeward.yaml``: snake_case, as Compose writes keys."""
    return field.rstrip("_")


class Extension:
    """Base of the mappings in ``x-leeward``: an unknown key is an error."""

    __slots__ = ()
    __pydantic_config__: ClassVar[Mapping[str, Any]] = {"extra": "forbid", "alias_generator": camel_case}


class FilePart:
    """Base of the mappings in ``leeward.yaml``: an unknown key is an error."""

    __slots__ = ()
    __pydantic_config__: ClassVar[Mapping[str, Any]] = {"extra": "forbid", "alias_generator": snake_case}


def unfit(wanted: str, *, word: bool = False) -> Exception:
    """Return the error that pydantic collects for a value that is not `wanted`, which is a `word`."""
    from pydantic_core import PydanticCustomError

    return PydanticCustomError(UNFIT, "{wanted}", {"wanted": wanted, "word": word})


class Form(ABC):
    """Base of the annotations: checks a value as it was written and tells editors its JSON schema."""

    @abstractmethod
    def check(self, value: Any) -> Any:
        """Return the value to use.

        Raises:
            PydanticCustomError: it is not what is wanted.
        """

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """Return the JSON schema."""

    def __get_pydantic_core_schema__(self, _source: Any, _handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(self, _core: Any, _handler: Any) -> dict[str, Any]:
        return self.schema()


@dataclass(frozen=True, slots=True)
class Word(Form):
    """A string of a certain shape; `numbers`: one that looks like a number needs no quotes."""

    pattern: str
    wanted: str
    longest: int = 253
    numbers: bool = False

    def check(self, value: Any) -> str:
        if self.numbers and isinstance(value, (int, float)) and not isinstance(value, bool):
            value = f"{value:g}" if isinstance(value, float) else str(value)
        if isinstance(value, str) and len(value) <= self.longest and re.fullmatch(self.pattern, value):
            return value
        raise unfit(self.wanted, word=True)

    def schema(self) -> dict[str, Any]:
        text = {"type": "string", "pattern": f"^(?:{self.pattern})$", "maxLength": self.longest}
        return {"anyOf": [text, {"type": "number"}]} if self.numbers else text


LARGEST = 2**31 - 1  # of the numbers in Kubernetes objects


@dataclass(frozen=True, slots=True)
class Whole(Form):
    """A whole number in a range; a string of digits is one, because variables give strings."""

    least: int
    most: int = LARGEST

    def check(self, value: Any) -> int:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value):
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and self.least <= value <= self.most:
            return int(value)
        usual = self.most == LARGEST and not (isinstance(value, int) and value > LARGEST)
        limit = f", {self.least} or more" if usual else f" from {self.least} to {self.most}"
        raise unfit(f"a whole number{limit}")

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True, slots=True)
class Parsed(Form):
    """A string that `parse` understands; it raises ValueError with what is wanted instead."""

    parse: Callable[[str], Any]
    wanted: str

    def check(self, value: Any) -> Any:
        if not isinstance(value, str):
            raise unfit(self.wanted)
        try:
            return self.parse(value)
        except ValueError as error:
            raise unfit(str(error)) from None

    def schema(self) -> dict[str, Any]:
        return {"type": "string"}


@dataclass(frozen=True, slots=True)
class Text(Form):
    """Any scalar, as Compose turns it into a string."""

    def check(self, value: Any) -> str:
        if isinstance(value, (str, int, float)):
            return scalar_text(value)
        raise unfit("a string, a number, true or false")

    def schema(self) -> dict[str, Any]:
        return {"type": ["string", "number", "boolean"]}


@dataclass(frozen=True, slots=True)
class Share(Form):
    """A number of Pods, or a percentage of them."""

    def check(self, value: Any) -> int | str:
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST:
            return value
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
            return int(value)
        if isinstance(value, str) and re.fullmatch(r"([0-9]{1,2}|100)%", value):
            return value
        raise unfit('a number of Pods, or a percentage such as "25%"')

    def schema(self) -> dict[str, Any]:
        percentage = {"type": "string", "pattern": "^([0-9]{1,2}|100)%$"}
        return {"anyOf": [{"type": "integer", "minimum": 0}, percentage]}


@dataclass(frozen=True, slots=True, eq=False)  # annotations must be hashable
class Short:
    """A mapping or list that a scalar may stand for.

    Attributes:
        wanted: in words, such as "a mapping, or a cron expression".
        forms: kind of scalar → what it stands for: the mapping or list, or the value itself.
        of: what the long form is; None: the annotated type.
    """

    wanted: str
    forms: Mapping[type, Callable[[Any], Any]]
    of: type | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        def expand(value: Any, check: Callable[[Any], Any]) -> Any:
            if type(value) in self.forms:
                value = self.forms[type(value)](value)
            elif not isinstance(value, (dict, list)):
                raise unfit(self.wanted)
            return check(value) if isinstance(value, (dict, list)) else value

        long = handler.generate_schema(self.of) if self.of else handler(source)
        return core_schema.no_info_wrap_validator_function(expand, long)

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        return {"anyOf": [handler(core), *({"type": _JSON_TYPES[kind]} for kind in self.forms)]}


def _listed(one: str) -> list[str]:
    return [one]


_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
Host = Annotated[
    str, Word(rf"(\*\.)?{_LABEL}(\.{_LABEL})*", "a host name in lower case, such as shop.example.com")
]
Name = Annotated[
    str, Word(rf"{_LABEL}(\.{_LABEL})*", "a name of lower-case letters, digits, hyphens and dots")
]
Label = Annotated[str, Word(_LABEL, "a name of lower-case letters, digits and hyphens, at most 63", 63)]
Quantity = Annotated[
    str,
    Word(r"[0-9]+(\.[0-9]+)?([EPTGMk]i?|Ki|m)?", 'a quantity such as "500m", 2 or "10Gi"', 32, numbers=True),
]
LabelKey = Annotated[
    str,
    Word(
        rf"({_LABEL}(\.{_LABEL})*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?",
        "a key such as example.com/name",
        317,
    ),
]
LabelValue = Annotated[
    str,
    Word(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?", "the value of a label, letters, digits, - _ ."),
]
Count = Annotated[int, Whole(0)]
Positive = Annotated[int, Whole(1)]
Seconds = Annotated[int, Whole(0)]
PortNumber = Annotated[int, Whole(1, 65535)]
Variable = Annotated[str, Text()]
Strings = Annotated[tuple[str, ...], Short("a list of strings, or one string", {str: _listed})]
PodShare = Annotated[int | str, Share()]
