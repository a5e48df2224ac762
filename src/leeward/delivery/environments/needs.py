"""Which access level allows a request in an environment, and who has it. Pure.

It is told to people whom the cluster refuses something; the Roles themselves say it, so that it is true.
"""

from __future__ import annotations

from leeward.delivery.environments.access import LEVELS, access_objects, role_name
from leeward.delivery.environments.environment import Environment
from leeward.kube.objects import Obj


def levels_allowing(environment: Environment, verb: str, group: str, resource: str) -> list[str]:
    """Return the levels that allow `verb` on `resource` ("pods/exec") in the environment's namespace."""
    roles = {
        each["metadata"]["name"]: each
        for each in access_objects(environment)
        if each["kind"] == "Role" and each["metadata"]["namespace"] == environment.namespace
    }
    return [
        level
        for level in LEVELS
        if any(
            _allows(rule, verb, group, resource)
            for rule in roles[role_name(environment.name, level)]["rules"]
        )
    ]


def _allows(rule: Obj, verb: str, group: str, resource: str) -> bool:
    return (
        verb in rule["verbs"]
        and group in rule["apiGroups"]
        and resource in rule["resources"]
        and not rule.get("resourceNames")
    )


def who_may(environment: Environment, verb: str, group: str, resource: str) -> str:
    """Return in words which level a request takes, and which groups have it; "" when no level allows it."""
    levels = levels_allowing(environment, verb, group, resource)
    if not levels:
        return ""
    groups = sorted(name for name, level in environment.access.items() if level in levels)
    many = "the groups" if len(groups) > 1 else "the group"
    have = f", which {many} {', '.join(groups)} {'have' if len(groups) > 1 else 'has'}" if groups else ""
    *more, last = levels
    wanted = f"{', '.join(more)} or {last}" if more else last
    return f"In {environment.name} that takes {wanted}{have}."
