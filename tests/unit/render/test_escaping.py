from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from leeward.render.renderers.command import escape


def expand(text: str, values: dict[str, str]) -> str:
    """Kubernetes' expansion, written down from its documentation."""
    out, index = [], 0
    while index < len(text):
        here, after = text[index], text[index + 1 : index + 2]
        if here != "$" or not after:
            out.append(here)
            index += 1
        elif after == "$":
            out.append("$")
            index += 2
        elif after == "(" and ")" in text[index:]:
            name = text[index + 2 : text.index(")", index)]
            out.append(values.get(name, f"$({name})"))
            index = text.index(")", index) + 1
        else:
            out.append("$" + after)
            index += 2
    return "".join(out)


@given(st.text(alphabet="$(){}ab ", max_size=24))
@example("$$(a)")
@example("echo $(a) $${a} $")
def test_expansion_gives_back_what_compose_meant(text: str) -> None:
    assert expand(escape(text), {"a": "WRONG", "": "WRONG", "b": "WRONG"}) == text


def test_shell_variables_are_left_alone() -> None:
    assert escape("awk '{print $1}' $HOME ${HOME}") == "awk '{print $1}' $HOME ${HOME}"
