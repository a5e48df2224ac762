from __future__ import annotations

from typing import Any

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from leeward.render.writers.emitter import dump, to_yaml

WORDS = st.sampled_from(
    ["on", "Null", "y", "8080", "08", "1e3", "a b", "a: b", "a #b", "a:b", "-", "- a", "=", "<<", "*a", "x:",
     "{}", "", " a", "a ", "2026-01-01", "http://web:80/?a=b,c", "$(HOME)", "a\nb", "a\n", "a\n\n b\n", "%a",
     "a - b", "/a b/", "a,", "é", "@a", "`a`", "!a", "/dev/null", "null null", "a\tb", "'", '"', "😀"]
)  # fmt: skip
BREAKS_ELSEWHERE = (
    "\x85\u2028\u2029"  # what follows them would be indented further; it reads back all the same
)
TEXTS = st.one_of(
    WORDS, st.text(st.characters(codec="utf-8", exclude_characters=BREAKS_ELSEWHERE), max_size=40)
)
SCALARS = st.one_of(TEXTS, st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False))
KEYS = st.one_of(WORDS.filter(str.isprintable), st.text("abcXYZ019.-/_", max_size=60))
OBJECTS = st.dictionaries(
    KEYS,
    st.recursive(
        SCALARS,
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
        max_leaves=20,
    ),
    max_size=6,
)


@given(OBJECTS)
@example({"a": {"b": [["x", ["y\nz\n"]], {"c": [], "d": {}}]}})
@example({"data": {"nginx.conf": "server {\n  listen 80;\n\n}\n", "keep": "a\n\n"}})
def test_it_writes_what_pyyaml_writes(obj: dict[str, Any]) -> None:
    assert to_yaml(obj) == dump(obj).replace("\n...\n", "\n")


@given(st.dictionaries(st.text(max_size=300), st.one_of(st.text(), st.lists(st.text())), max_size=3))
@example({"k" * 300: "v" * 5000})
@example({"a": " " * 5000 + "\n" + "word " * 2000})
def test_whatever_is_written_reads_back(obj: dict[str, Any]) -> None:
    assert yaml.safe_load(to_yaml(obj)) == obj
