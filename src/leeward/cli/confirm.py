"""Asking before something is done."""

from __future__ import annotations

import sys

import typer

from leeward.base.errors import UserInputError
from leeward.cli import output


def confirmed(question: str) -> bool:
    """Ask; without a terminal, and without an answer on standard input, refuse.

    Raises:
        UserInputError: nobody answers.
    """
    try:
        return typer.confirm(question)
    except typer.Abort:
        if sys.stdin.isatty():
            raise
        output.say()  # ends the line of the question
        raise UserInputError(
            "this needs a confirmation, and there is no terminal to ask on", remedy="Add --yes."
        ) from None
