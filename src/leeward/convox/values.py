"""Whether the values of a shaped ``convox.yml`` can be translated: required keys, texts with a syntax.

What passes here cannot fail in translation.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from leeward.compose.findings import Findings, ValuePath
from leeward.compose.node import Node, describe
from leeward.convox.services import can_vary, is_variable

_COUNT = re.compile(r"[0-9]+(-[0-9]+|\+)?\Z")
_PORT = re.compile(r"(?:[a-z]+:)?([0-9]+)", re.IGNORECASE)
_EXPOSED = re.compile(r"([0-9]+)(?:/(?:tcp|udp))?", re.IGNORECASE)
MAX_PORT = 65535
_DIGITS = re.compile(r"[0-9]+\Z")


def _is_command(text: str) -> bool:
    try:
        return bool(shlex.split(text))
    except ValueError:
        return False


def _ports(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    """Return whether a text fits `pattern` and its first group is the number of a port."""

    def fits(text: str) -> bool:
        found = pattern.fullmatch(text)
        return found is not None and 1 <= int(found[1]) <= MAX_PORT

    return fits


def remedy_for(node: Node, otherwise: str) -> str:
    """Return what to do about a value that is no number: a variable needs a value now."""
    if isinstance(node.value, str) and "${" in node.value:
        return "Give the variable's value with --env-file: the importer has to know it."
    return otherwise


def _is_text(text: str) -> bool:
    return bool(text)


@dataclass(frozen=True, slots=True)
class _Rule:
    fits: Callable[[str], object]
    wanted: str
    remedy: str


def _is_declaration(text: str) -> bool:
    name, equals, _ = text.partition("=")
    return is_variable(name) or name == "*" or bool(name and equals)


_DECLARATION = _Rule(
    _is_declaration,
    "NAME, NAME=default or *",
    "Give a name that is not of letters, digits and _ a value: it cannot come from .env.",
)
_TEXT = _Rule(_is_text, "text", "Write it as text.")
_COMMAND = _Rule(_is_command, "a command line", "Close the quotes.")
_A_PORT = _Rule(_ports(_PORT), "a port", "Write 3000 or https:3000.")
_FIELDS = _Rule(lambda text: len(text.split()) >= 5, "a schedule", 'Write five fields, such as "0 3 * * *".')
_NUMBER = _Rule(_DIGITS.match, "a whole number", "Write it without a unit.")

RULES = {
    "environment.*": _DECLARATION,
    "services.*.environment.*": _DECLARATION,
    "services.*.build.args.*": _TEXT,
    "services.*.resources.*": _TEXT,
    "services.*.volumes.*": _TEXT,
    "services.*.domain.*": _TEXT,
    "services.*.command": _COMMAND,
    "services.*.initContainer.command": _COMMAND,
    "services.*.lifecycle.preStop": _COMMAND,
    "services.*.lifecycle.postStart": _COMMAND,
    "timers.*.command": _COMMAND,
    "timers.*.schedule": _FIELDS,
    "services.*.scale": _Rule(_COUNT.match, "a number or a range", "Write 2 or 1-5."),
    "services.*.scale.count": _Rule(_COUNT.match, "a number or a range", "Write 2 or 1-5."),
    "services.*.port": _A_PORT,
    "services.*.health.port": _A_PORT,
    "services.*.liveness.port": _A_PORT,
    "services.*.startupProbe.tcpSocketPort": _NUMBER,
    "services.*.ports.*": _Rule(_ports(_EXPOSED), "a port", "Write 5000 or 5000/udp."),
    "resources.*.options.cpu": _NUMBER,
    "resources.*.options.mem": _NUMBER,
    "resources.*.options.storage": _NUMBER,
    "services.*.scale.autoscale.cpu.threshold": _NUMBER,
    "services.*.scale.autoscale.memory.threshold": _NUMBER,
}
REQUIRED = {
    "configs.*": ("id",),
    "timers.*": ("schedule", "service"),
    "balancers.*": ("service", "ports"),
    "resources.*": ("type",),
    "services.*.configMounts.*": ("id", "dir", "filename"),
    "services.*.volumeOptions.*.emptyDir": ("id", "mountPath"),
    "services.*.volumeOptions.*.awsEfs": ("id", "mountPath"),
    "services.*.volumeOptions.*.azureFiles": ("id", "mountPath"),
}


def check_values(tree: Node, findings: Findings) -> None:
    """Report every value that cannot be translated."""
    for path, keys, node in _walk(tree, (), [""]):
        for key in keys:
            for missing in REQUIRED.get(key, ()):
                if node.get(missing) is None:
                    message = f'It has no "{missing}".'
                    findings.error(
                        "missing-key", message, path=path, at=node.location, remedy=f'Add "{missing}".'
                    )
            rule = RULES.get(key)
            if rule is not None and not _passes(node, rule, key):
                message = f"This must be {rule.wanted}, not {describe(node)}."
                findings.error(
                    "wrong-value", message, path=path, at=node.location, remedy=remedy_for(node, rule.remedy)
                )
            elif rule is _DECLARATION:
                _say_fixed(node, path, findings)


def _say_fixed(node: Node, path: ValuePath, findings: Findings) -> None:
    name, equals, default = str(node.value).partition("=")
    if equals and not can_vary(name, default):
        findings.warning(
            "fixed-value",
            f"{name} has its default for good: Compose cannot write it as a variable with that default.",
            path=path,
            at=node.location,
            remedy=f"Set {name} in the Compose file of each environment that needs another value.",
        )


def _passes(node: Node, rule: _Rule, key: str) -> bool:
    if node.value is None:
        return not key.endswith(".*")
    if isinstance(node.value, dict):
        return rule not in (_TEXT, _DECLARATION) and not key.endswith("ports.*")
    return not isinstance(node.value, list) and bool(rule.fits(str(node.value)))


def _walk(node: Node, path: ValuePath, keys: list[str]) -> Iterator[tuple[ValuePath, list[str], Node]]:
    """Yield every node with the keys that may stand for its path."""
    yield path, keys, node
    steps: list[tuple[str | int, Node]] = [*node.items().items(), *enumerate(node.elements())]
    for step, entry in steps:
        names = ["*"] if isinstance(step, int) else ["*", step]
        inner = [f"{key}.{name}" if key else name for key in keys for name in names]
        yield from _walk(entry, (*path, step), [key for key in inner if _may_lead(key)])


def _may_lead(key: str) -> bool:
    return any(f"{each}.".startswith(f"{key}.") for each in (*RULES, *REQUIRED))
