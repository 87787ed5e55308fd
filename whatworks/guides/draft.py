"""The text of a guide under examination: takes down every mistake and raises them together."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Final

from whatworks.guides.guide import GuideError, Problem

MOST_STEPS: Final = 50
MOST_MINUTES: Final = 240
MOST_ITEMS: Final = 30
LONGEST_TITLE: Final = 120
LONGEST_TEXT: Final = 600
LONGEST_FILE: Final = 300_000

# What YAML refuses, and the rare line separators that would make our line numbers wrong.
UNPRINTABLE: Final = re.compile(
    "[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)


class Page:
    """The text under examination: takes down every mistake and raises them together."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[Problem] = []

    def mistake(self, line: int, message: str) -> None:
        """Take down one mistake."""
        self.problems.append(Problem(self.source, line, message))

    def close(self) -> None:
        """Raise GuideError when there was any."""
        if self.problems:
            raise GuideError(self.problems)


def suggest(word: str, known: Sequence[str]) -> str:
    """A hint at the word that was probably meant, or nothing."""
    close = difflib.get_close_matches(word, known, n=1)
    return f' (did you mean "{close[0]}"?)' if close else ""


def plain(text: str) -> str:
    """Text without surplus white space."""
    return " ".join(text.split())


def cut(text: str, longest: int = 60) -> str:
    """Text short enough for a message."""
    text = plain(text)
    return text if len(text) <= longest else text[: longest - 1] + "…"
