"""Several texts as one template that gives each of them back, by the environment.

Invariant: for every environment the template gives its text, byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from itertools import groupby

_Woven = list[tuple[str, frozenset[str]]]  # a piece of text, and the environments that have it


def weave(texts: Mapping[str, Sequence[str]]) -> str:
    """Return one template of texts that come in pieces.

    Args:
        texts: environment → the pieces of its text, each ending in a line end; none where it has no text.
    """
    woven: _Woven = []
    for name, pieces in texts.items():
        woven = _with(woven, name, list(pieces))
    out = ""
    for names, run in groupby(woven, key=lambda each: each[1]):
        body = "".join(piece for piece, _ in run)
        if len(names) == len(texts):
            out += body
            continue
        test = _test(names, list(texts))
        if _ends_blank(out) or _ends_blank(body):  # what {{- would eat belongs to the text
            out = f"{out[:-1]}{{{{ if {test} }}}}\n{body[:-1]}{{{{ end }}}}\n"
        else:
            out += f"{{{{- if {test} }}}}\n{body}{{{{- end }}}}\n"
    return out


def _with(woven: _Woven, name: str, pieces: list[str]) -> _Woven:
    own = frozenset((name,))
    before = [piece for piece, _ in woven]
    if before == pieces:
        return [(piece, names | own) for piece, names in woven]
    result: _Woven = []
    matcher = SequenceMatcher(None, before, pieces, autojunk=False)
    for what, start, end, first, last in matcher.get_opcodes():
        if what == "equal":
            result += [(piece, names | own) for piece, names in woven[start:end]]
        else:
            result += woven[start:end]
            result += [(piece, own) for piece in pieces[first:last]]
    return result


def _test(names: frozenset[str], every: list[str]) -> str:
    here = [json.dumps(name) for name in every if name in names]
    others = [json.dumps(name) for name in every if name not in names]
    if len(here) == 1:
        return f"eq .Values.environment {here[0]}"
    if len(others) == 1:
        return f"ne .Values.environment {others[0]}"
    return f"has .Values.environment (list {' '.join(here)})"


def _ends_blank(text: str) -> bool:
    return text[-2:-1] in ("", " ", "\n", "\t")
