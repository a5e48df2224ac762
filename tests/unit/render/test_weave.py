from __future__ import annotations

import json
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from leeward.render.writers.weave import weave

PIECES = st.lists(st.sampled_from(["a\n", "  b\n", "\n", "c: |+\n", "  x\n\n", "\u2028\n"]), max_size=7)
TEXTS = st.dictionaries(st.sampled_from(["qa", "uat", "production"]), PIECES, min_size=1)


def evaluated(template: str, environment: str) -> str:
    """Return what Go's text/template makes of the conditions of a template."""
    out, shown, done, rest = "", True, False, template
    while found := re.search(r"\{\{(-?) (if|else if|else|end)(?: (\w+) \S+ ([^}]*?))? \}\}", rest):
        text = rest[: found.start()]
        text = text.rstrip(" \t\r\n") if found[1] else text
        out += text if shown else ""
        rest = rest[found.end() :]
        if found[2] == "end":
            shown, done = True, False
            continue
        names = [json.loads(name) for name in re.findall(r'"[^"]*"', found[4] or "")]
        shown = not done and (found[2] == "else" or (environment in names) is (found[3] != "ne"))
        done = done or shown
    return out + rest


@settings(deadline=None, max_examples=300)
@given(TEXTS)
def test_every_environment_gets_its_own_text_back(texts: dict[str, list[str]]) -> None:
    template = weave({name: ["# head\n", *pieces] for name, pieces in texts.items()})
    for name, pieces in texts.items():
        assert evaluated(template, name) == "# head\n" + "".join(pieces)


def test_what_all_have_is_under_no_condition() -> None:
    assert weave({"qa": ["a\n"], "uat": ["a\n"]}) == "a\n"
    template = weave({name: ["a\n", f"{name}\n"] for name in ("qa", "uat")})
    assert template == ('a\n{{- if eq .Values.environment "qa" }}\nqa\n{{- else }}\nuat\n{{- end }}\n')
