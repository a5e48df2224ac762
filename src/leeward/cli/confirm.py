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


def typed(question: str, expected: str, *, remedy: str) -> bool:
    """Ask for a word to be typed; tell whether it was.

    Args:
        question: without the word.
        expected: the word.
        remedy: for where nobody answers.

    Raises:
        UserInputError: nobody answers.
    """
    try:
        answer = typer.prompt(f"{question} ({expected})", default="", show_default=False)
    except typer.Abort:
        if sys.stdin.isatty():
            raise
        output.say()
        raise UserInputError(
            "this needs a confirmation, and there is no terminal to ask on", remedy=remedy
        ) from None
    return str(answer).strip() == expected
