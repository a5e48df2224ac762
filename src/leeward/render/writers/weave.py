"""Several texts as one template that gives each of them back, by the environment.

Invariant: for every environment the template gives its text, byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import groupby

_Run = tuple[frozenset[str], str]  # environments, and text that only they have
_Woven = list[tuple[str, frozenset[str]]]  # a piece of text, and the environments that have it


def weave(texts: Mapping[str, Sequence[str]]) -> str:
    """Return one template of texts that come in pieces.

    Args:
        texts: environment → the pieces of its text, each ending in a line end; none where it has no text.
    """
    woven: _Woven = []
    for name, pieces in texts.items():
        woven = _with(woven, name, list(pieces))
    out, every = "", list(texts)
    for chain in _chains(woven):
        if len(chain[0][0]) == len(every):
            out += chain[0][1]
        else:
            out = _conditional(out, chain, every)
    return out


def _chains(woven: _Woven) -> Iterator[list[_Run]]:
    """Yield runs that follow and exclude one another: what one ``if`` with ``else`` can hold."""
    chain: list[_Run] = []
    for names, run in groupby(woven, key=lambda each: each[1]):
        if any(names & earlier for earlier, _ in chain):
            yield chain
            chain = []
        chain.append((names, "".join(piece for piece, _ in run)))
    if chain:
        yield chain


def _conditional(out: str, chain: list[_Run], every: list[str]) -> str:
    """Return `out` with a condition after it; ``{{-`` must eat no more than the line end before it."""
    plain = any(_ends_blank(text) for text in (out, *(body for _, body in chain)))
    left = "{{ " if plain else "{{- "
    seen: frozenset[str] = frozenset()
    for names, body in chain:
        seen |= names
        last = names != seen and len(seen) == len(every)
        word = "else" if last else f"{'if' if names == seen else 'else if'} {_test(names, every)}"
        out = f"{out[:-1] if plain else out}{left}{word} }}}}\n{body}"
    return f"{out[:-1] if plain else out}{left}end }}}}\n"


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
