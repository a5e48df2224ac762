"""A Terraform plan, shown: what changes, what that does to whom, and what AWS wants done before."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from leeward.cli import output
from leeward.infra.blastradius import Consequence
from leeward.infra.plans import SENSITIVE, Action, PlanSummary, ResourceChange
from leeward.infra.sizing import Move

_WORDS = {
    Action.CREATE: ("make", "32"),
    Action.UPDATE: ("change", "33"),
    Action.REPLACE: ("replace", "31"),
    Action.DESTROY: ("destroy", "31"),
    Action.FORGET: ("forget", "33"),
}
_WIDTH = max(len(word) for word, _ in _WORDS.values())
_MINOR = frozenset(
    ("aws_autoscaling_group_tag", "aws_iam_role_policy_attachment", "aws_route_table_association")
)
"""Types of which only the number is told: they go along with others."""
_SHOWN_ATTRIBUTES = 12  # of one resource
_SHOWN_ALIKE = 15  # resources that are made, or destroyed, are named one by one up to here


@dataclass(frozen=True, slots=True)
class Shown:
    """A plan and all that is said about it."""

    cluster: str
    summary: PlanSummary
    consequences: Sequence[Consequence]
    moves: Sequence[Move] = ()

    @property
    def grave(self) -> list[Consequence]:
        """Return what takes more than a yes."""
        return [each for each in self.consequences if each.is_grave]


def counts(summary: PlanSummary) -> str:
    """Return how many resources have which action: "3 to make, 1 to change"."""
    told = [
        f"{number} to {word}" for action, (word, _) in _WORDS.items() if (number := summary.count(action))
    ]
    return ", ".join(told) or ("only outputs change" if summary.outputs else "nothing to do")


def show(shown: Shown) -> None:
    """Print a plan for people."""
    summary = shown.summary
    if not summary.has_changes:
        output.say(f"{shown.cluster} is as its file says: nothing to do")
        _show_drift(summary)
        return
    output.say(output.paint(f"{shown.cluster}: {counts(summary)}", "1"))
    for action in (Action.DESTROY, Action.REPLACE, Action.UPDATE, Action.FORGET):
        of_action = [each for each in summary.changes if each.action is action]
        is_all = action is Action.DESTROY and len(of_action) > _SHOWN_ALIKE
        for change in of_action:
            if change.type not in _MINOR and not is_all:
                _show_change(change)
        _show_kinds(action, [each for each in of_action if each.type in _MINOR or is_all])
    _show_new([change for change in summary.changes if change.action is Action.CREATE])
    _show_drift(summary)
    if shown.consequences or shown.moves:
        output.say()
        output.say(output.paint("What that does", "1"))
    for each in shown.consequences:
        mark = output.paint("!", "1;31") if each.is_grave else "-"
        output.say(f"  {mark} {each.words}")
        output.say(f"      {each.about}")
    for move in shown.moves:
        output.say(f"  - {move.words}")
        output.say(f"      {move.now} -> {move.first} (min/desired/max), before Terraform")


def _show_change(change: ResourceChange) -> None:
    word, colour = _WORDS[change.action]
    output.say(f"  {output.paint(word.ljust(_WIDTH), colour)}  {change.shown}")
    indent = " " * (_WIDTH + 6)
    for each in change.attributes[:_SHOWN_ATTRIBUTES]:
        is_forced = f"{each.path}.".startswith(tuple(f"{path}." for path in change.forced_by))
        forces = "  (cannot be changed in place)" if is_forced else ""
        told = each.before if each.before == each.after == SENSITIVE else f"{each.before} -> {each.after}"
        output.say(f"{indent}{each.path}: {told}{forces}")
    more = len(change.attributes) - _SHOWN_ATTRIBUTES
    if more > 0:
        output.say(f"{indent}and {output.count(more, 'attribute')} more")


def _show_new(made: Sequence[ResourceChange]) -> None:
    if len(made) > _SHOWN_ALIKE:
        _show_kinds(Action.CREATE, made)
        return
    for each in made:
        _show_change(each)


def _show_kinds(action: Action, changes: Sequence[ResourceChange]) -> None:
    word, colour = _WORDS[action]
    for told in _kinds(changes):
        output.say(f"  {output.paint(word.ljust(_WIDTH), colour)}  {told}")


def _kinds(changes: Sequence[ResourceChange]) -> Iterator[str]:
    """Yield how many resources of a type a module has among `changes`."""
    kinds = Counter((each.module.replace("module.", ""), each.type.removeprefix("aws_")) for each in changes)
    for (module, kind), number in kinds.items():
        name = f"{module}.{kind}" if module else kind
        yield f"{name} x {number}" if number > 1 else name


def _show_drift(summary: PlanSummary) -> None:
    if not summary.drift:
        return
    output.say()
    output.say(output.paint("Changed at AWS by others, and put back", "1"))
    for change in summary.drift:
        word = "is gone" if change.action is Action.DESTROY else "changed"
        output.say(f"  {change.shown} {word}")
        for each in change.attributes[:_SHOWN_ATTRIBUTES]:
            output.say(f"      {each.path}: {each.before} -> {each.after}")


def plain(shown: Shown) -> dict[str, Any]:
    """Return a plan for programs."""
    return {
        "cluster": shown.cluster,
        "has_changes": shown.summary.has_changes,
        "counts": {action.value: shown.summary.count(action) for action in Action},
        "changes": [_plain(each) for each in shown.summary.changes],
        "outputs": list(shown.summary.outputs),
        "consequences": [
            {"about": each.about, "message": each.words, "grave": each.is_grave}
            for each in shown.consequences
        ],
        "sizes_first": [
            {"node_group": move.name, "from": str(move.now), "to": str(move.first)} for move in shown.moves
        ],
        "drift": [_plain(each) for each in shown.summary.drift],
    }


def _plain(change: ResourceChange) -> dict[str, Any]:
    return {
        "address": change.address,
        "action": change.action.value,
        "creates_first": change.creates_first,
        "forced_by": list(change.forced_by),
        "attributes": [
            {"path": each.path, "before": each.before, "after": each.after} for each in change.attributes
        ],
    }


def show_json(shown: Shown) -> None:
    """Print a plan for programs."""
    output.say(json.dumps(plain(shown), indent=2))
