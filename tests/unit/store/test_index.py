"""Groups of objects stay in order while objects come, change, move and go."""

from __future__ import annotations

from random import Random

from leeward.cluster.store.index import Index
from leeward.kube.objects import Obj, ObjectKey


def test_an_index_tells_what_a_look_at_everything_would() -> None:
    random, index = Random(3), Index()
    there: dict[ObjectKey, tuple[str | None, Obj]] = {}
    for number in range(2000):
        key = ObjectKey("shop", f"o{random.randrange(30)}")
        before = there.get(key, (None, {}))[0]
        if key in there and random.random() < 0.3:
            index.move(key, before, None, None)
            del there[key]
        else:
            after = random.choice(["a", "b", None])
            there[key] = (after, {"number": number})
            index.move(key, before, after, there[key][1])
        for group in ("a", "b"):
            assert index.get(group) == [obj for _, (where, obj) in sorted(there.items()) if where == group]


def test_an_empty_group_is_forgotten() -> None:
    index, key = Index(), ObjectKey("", "n")
    index.move(key, None, "g", {})
    index.move(key, "g", None, None)
    assert index.get("g") == []
    assert not index._groups
