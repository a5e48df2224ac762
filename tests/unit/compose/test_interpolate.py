from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.compose.interpolate import TemplateError, substitute

VARIABLES = {"SET": "value", "EMPTY": "", "NAME": "SET", "DOLLAR": "$SET"}
NOTHING: dict[str, str] = {}
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
WORDS = st.text(alphabet=st.characters(exclude_characters="${}", exclude_categories=["Cs"]), max_size=20)


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ("$SET", "value"),
        ("${SET}", "value"),
        ("a${SET}b$SET-c", "avaluebvalue-c"),
        ("${SET:-other}", "value"),
        ("${EMPTY:-other}", "other"),
        ("${EMPTY-other}", ""),
        ("${MISSING:-other}", "other"),
        ("${MISSING-other}", "other"),
        ("${MISSING:-}", ""),
        ("${SET:+there}", "there"),
        ("${EMPTY:+there}", ""),
        ("${EMPTY+there}", "there"),
        ("${MISSING+there}", ""),
        ("${SET:?needed}", "value"),
        ("${EMPTY?needed}", ""),
        ("${MISSING:-${SET}}", "value"),
        ("${MISSING:-a${ALSO:-b${SET}c}d}", "abvaluecd"),
        ("${MISSING:-http://${SET}:80/?a=b}", "http://value:80/?a=b"),
        ("${MISSING:-a:-b}", "a:-b"),
        ("$$SET", "$SET"),
        ("$${SET}", "${SET}"),
        ("$$$SET", "$value"),
        ("awk '{print $1}'", "awk '{print $1}'"),
        ("costs 5$", "costs 5$"),
        ("${DOLLAR}", "$SET"),
        ("${MISSING:-$$SET}", "$SET"),
    ],
)
def test_every_form_of_a_variable_is_replaced(template: str, result: str) -> None:
    assert substitute(template, VARIABLES.get) == result


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("${MISSING:?}", "The required variable MISSING is not set."),
        ("${MISSING?}", "The required variable MISSING is not set."),
        ("${EMPTY:?set ${NAME}}", "The required variable EMPTY is empty: set SET."),
    ],
)
def test_a_missing_required_variable_is_an_error_with_its_reason(template: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        substitute(template, VARIABLES.get)
    assert caught.value.message == message
    assert caught.value.code == "missing-variable"


@pytest.mark.parametrize("template", ["${", "${}", "${1X}", "${A", "${A!b}", "${A:b}", "${A:-${B}", "${ A}"])
def test_bad_syntax_is_an_error(template: str) -> None:
    with pytest.raises(TemplateError) as caught:
        substitute(template, VARIABLES.get)
    assert caught.value.code == "invalid-interpolation"


def test_deep_nesting_is_refused_rather_than_exhausting_the_stack() -> None:
    with pytest.raises(TemplateError):
        substitute("${A:-" * 5000 + "}" * 5000, NOTHING.get)


def test_variables_that_are_not_set_are_named() -> None:
    unset: list[str] = []
    assert substitute("$A ${B} ${C:-x} ${D+y} $SET", VARIABLES.get, unset.append) == "  x  value"
    assert unset == ["A", "B"]


@given(text=st.text())
def test_doubling_every_dollar_gives_the_text_back(text: str) -> None:
    assert substitute(text.replace("$", "$$"), NOTHING.get) == text


@given(name=NAMES, value=st.text(), default=WORDS, before=WORDS, after=WORDS)
def test_the_value_stands_between_what_surrounds_it(
    name: str, value: str, default: str, before: str, after: str
) -> None:
    template = f"{before}${{{name}:-{default}}}{after}"
    assert substitute(template, {name: value}.get) == before + (value or default) + after
    assert substitute(template, NOTHING.get) == before + default + after


@given(text=st.text(alphabet="${}:-?+AB 1", max_size=30))
def test_any_text_is_either_replaced_or_refused_with_a_remedy(text: str) -> None:
    try:
        outcome = substitute(text, {"A": "a"}.get) + "."
    except TemplateError as error:
        outcome = error.remedy
    assert outcome.endswith(".")
