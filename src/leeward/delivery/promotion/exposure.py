"""Which secrets of an environment end where everybody reads them who may look at it. Pure.

A secret in a service's ``environment`` becomes a Secret. One in a command, a label or a config does not: it
is part of the workload or ConfigMap, live and in what is kept of the promotion. Concealing it in the latter
alone would conceal nothing, so it is told before anything is applied.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping

from leeward.kube.objects import Obj
from leeward.render.renderers.environment import is_secret

_TELLING = 8  # characters: shorter values stand in texts by chance


def exposures(objects: Iterable[Obj], values: Mapping[str, str], secret: Collection[str]) -> list[str]:
    """Return a sentence for each object that shows the values of secrets, with their names alone.

    Args:
        objects: what would be applied.
        values: of the environment's variables, by name.
        secret: those that the release takes for secrets; of others the name tells.
    """
    texts = {
        name: json.dumps(value)[1:-1]
        for name, value in values.items()
        if len(value) >= _TELLING and not value.isalpha() and (name in secret or is_secret(name, value))
    }
    found = []
    for obj in objects:
        if obj["kind"] == "Secret":
            continue
        written = json.dumps(obj)
        names = [name for name, text in texts.items() if text in written]
        if names:
            what = f"{obj['kind']} {obj['metadata']['name']}"
            found.append(f"{what} shows the value of {', '.join(names)} to everybody who may view it")
    return found
