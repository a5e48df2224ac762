"""Tables list in order whatever happened to them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from leeward.cluster.store.table import Table
from leeward.kube.objects import ObjectKey

_KEYS = st.builds(ObjectKey, st.sampled_from(("", "a", "b")), st.sampled_from("vwxyz"))


@given(st.lists(st.tuples(st.sampled_from(("put", "remove", "list")), _KEYS), max_size=60))
def test_a_table_lists_what_was_put_and_not_removed_ordered_by_key(
    steps: list[tuple[str, ObjectKey]],
) -> None:
    table, plain = Table(), dict[ObjectKey, dict[str, int]]()
    for number, (what, key) in enumerate(steps):
        if what == "put":
            table.put(key, {"n": number})
            plain[key] = {"n": number}
        elif what == "remove":
            table.remove(key)
            plain.pop(key, None)
        else:
            assert table.values() == [plain[key] for key in sorted(plain)]
    assert table.keys() == sorted(plain)
    assert len(table) == len(plain)
    for namespace in ("", "a", "b"):
        wanted = [plain[key] for key in sorted(plain) if key.namespace == namespace]
        assert list(table.of_namespace(namespace)) == wanted


def test_what_comes_and_goes_leaves_nothing() -> None:
    table = Table()
    table.put(ObjectKey("", "stays"), {})
    for number in range(1000):
        table.put(ObjectKey("", f"x{number}"), {})
        table.remove(ObjectKey("", f"x{number}"))
    assert len(table._new) == 1
