"""The front matter of a guide: YAML read field by field, each mistake with its line and remedy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import yaml

from whatworks.guides import draft
from whatworks.guides.draft import Page
from whatworks.guides.guide import GuideError

_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_QUOTES: Final = (
    'put quotes round a text that holds ": " or " #" or starts with a sign such as { [ * & !'
)
_FRONT_LINE: Final = 2  # the front matter starts below its ---


class _Loader(yaml.SafeLoader):
    """YAML without the parts that let a short text grow without bound."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent) or self.depth > 20:
            what = "references (*name) and deep nesting are not used in guides"
            raise yaml.composer.ComposerError(None, None, what, self.current_event.start_mark)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def compose(front: str, page: Page) -> yaml.Node | None:
    """The front matter as YAML nodes, which know their lines. Raises GuideError."""
    loader = _Loader(front)
    try:
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, what = mark.line if mark else loader.line, error.problem or error.context
    except (ValueError, OverflowError):  # PyYAML on an escape such as "\UFFFFFFFF"
        line, what = loader.line, "an escape or a number is out of range"
    finally:
        loader.dispose()
    # At the end of the text the mark stands one line below the last.
    line = min(line, front.count("\n"))
    page.mistake(line + _FRONT_LINE, f"is not valid YAML: {what}; check the indentation, {_QUOTES}")
    raise GuideError(page.problems)


def line_of(node: yaml.Node | None) -> int:
    """The line of the file where a node begins."""
    return node.start_mark.line + _FRONT_LINE if node is not None else 1


def _items(node: yaml.Node | None) -> list[yaml.Node]:
    """The items of a list; a single value counts as a list of one, nothing as none."""
    if node is None or _is_null(node):
        return []
    return list(node.value) if isinstance(node, yaml.SequenceNode) else [node]


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and (
        node.tag == "tag:yaml.org,2002:null" or not node.value.strip()
    )


def _what(node: yaml.Node) -> str:
    """How a message calls a value that was not expected."""
    if _is_null(node):
        return "empty"
    if isinstance(node, yaml.ScalarNode):
        return f'"{draft.cut(node.value)}"'
    return "a list" if isinstance(node, yaml.SequenceNode) else "a group of fields"


class Fields:
    """One group of fields. Each reader returns the checked value, or takes down the mistake and
    returns a stand-in that nobody sees."""

    def __init__(self, page: Page, node: yaml.Node | None, path: str, known: Sequence[str]) -> None:
        self.page, self.path, self.line = page, path, line_of(node)
        self.nodes: dict[str, yaml.Node] = {}
        self.is_group = isinstance(node, yaml.MappingNode)
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                self._take(key, value, known)
        else:
            name = path.rstrip(".") or "the front matter"
            what = _what(node) if node else "empty"
            page.mistake(self.line, f"{name} is {what}; write the fields {', '.join(known)}")

    def _take(self, key: yaml.Node, value: yaml.Node, known: Sequence[str]) -> None:
        name = key.value if isinstance(key, yaml.ScalarNode) else _what(key)
        if name not in known:
            hint = draft.suggest(name, known) or f"; the fields here are {', '.join(known)}"
            self.page.mistake(line_of(key), f"{self.path}{draft.cut(name)} is not a field{hint}")
        elif name in self.nodes:
            first = line_of(self.nodes[name])
            self.page.mistake(
                line_of(key), f"{self.path}{name} is already on line {first}; keep one of the two"
            )
        else:
            self.nodes[name] = value

    def missing(self, key: str, remedy: str) -> None:
        if self.is_group:  # anything else has been reported as a whole
            self.page.mistake(self.line, f"{self.path}{key} is missing; {remedy}")

    def text(
        self,
        key: str,
        remedy: str,
        *,
        longest: int = draft.LONGEST_TEXT,
        required: bool = True,
    ) -> str:
        node = self.nodes.get(key)
        if node is not None:
            return self._text(node, key, remedy, longest)
        if required:
            self.missing(key, remedy)
        return ""

    def _text(
        self, node: yaml.Node, key: str, remedy: str, longest: int = draft.LONGEST_TEXT
    ) -> str:
        line, name = line_of(node), f"{self.path}{key}"
        if not isinstance(node, yaml.ScalarNode) or _is_null(node):
            hint = "" if _is_null(node) else f"; {_QUOTES}"
            self.page.mistake(line, f"{name} is {_what(node)}; {remedy}{hint}")
            return ""
        text = draft.plain(node.value)
        if draft.UNPRINTABLE.search(text):
            self.page.mistake(line, f"{name} holds an invisible character; write it without escape")
        if len(text) > longest:
            self.page.mistake(line, f"{name} has {len(text)} characters; keep it within {longest}")
        return text

    def texts(self, key: str, remedy: str, *, required: bool = False) -> tuple[str, ...]:
        items = _items(self.nodes.get(key))
        if required and not items:
            self.missing(key, remedy)
        self._count(key, items, draft.MOST_ITEMS)
        texts: list[str] = []
        for number, item in enumerate(items[: draft.MOST_ITEMS], start=1):
            text = self._text(item, f"{key}[{number}]", remedy)
            if text and text in texts:
                self.page.mistake(line_of(item), f"{self.path}{key}[{number}] repeats; delete it")
            texts.append(text)
        return tuple(texts)

    def _count(self, key: str, items: Sequence[yaml.Node], most: int) -> None:
        if len(items) > most:
            self.page.mistake(
                line_of(items[most]),
                f"{self.path}{key} has {len(items)} items; keep {most} or fewer",
            )

    def choice(self, key: str, known: Sequence[str]) -> str:
        remedy = f"write one of {', '.join(known)}"
        choice = self.text(key, remedy)
        self._known(choice, self.nodes.get(key), key, known)
        return choice

    def choices(self, key: str, known: Sequence[str], *, required: bool = True) -> tuple[str, ...]:
        choices = self.texts(key, f"write a list of {', '.join(known)}", required=required)
        for number, node in enumerate(_items(self.nodes.get(key))[: draft.MOST_ITEMS]):
            self._known(choices[number], node, f"{key}[{number + 1}]", known)
        return choices

    def _known(self, word: str, node: yaml.Node | None, key: str, known: Sequence[str]) -> None:
        if word and word not in known:
            found = f'"{draft.cut(word)}"{draft.suggest(word, known)}'
            self.page.mistake(
                line_of(node), f"{self.path}{key} is {found}; write one of {', '.join(known)}"
            )

    def matching(self, key: str, pattern: re.Pattern[str], remedy: str) -> str:
        text = self.text(key, remedy)
        if text and not pattern.fullmatch(text):
            node = self.nodes[key]
            self.page.mistake(line_of(node), f"{self.path}{key} is {_what(node)}; {remedy}")
        return text

    def countries(self, key: str) -> tuple[str, ...]:
        remedy = "write two capital letters per country, such as IN"
        countries = self.texts(key, remedy)
        for country, node in zip(countries, _items(self.nodes.get(key)), strict=False):
            if country and not _COUNTRY.fullmatch(country):
                self.page.mistake(line_of(node), f"{self.path}{key} is {_what(node)}; {remedy}")
        return countries

    def minutes(self, key: str) -> int:
        remedy = f"write a whole number of minutes, 1 to {draft.MOST_MINUTES}"
        text = self.text(key, remedy)
        if re.fullmatch(r"[0-9]{1,3}", text) and 1 <= int(text) <= draft.MOST_MINUTES:
            return int(text)
        if text:
            node = self.nodes[key]
            self.page.mistake(line_of(node), f"{self.path}{key} is {_what(node)}; {remedy}")
        return 0

    def flag(self, key: str) -> bool | None:
        node = self.nodes.get(key)
        if node is None or _is_null(node):
            return None
        if _what(node) not in {'"true"', '"false"'}:
            self.page.mistake(
                line_of(node), f"{self.path}{key} is {_what(node)}; write true or false"
            )
        return _what(node) == '"true"'

    def group(self, key: str, known: Sequence[str]) -> Fields | None:
        node = self.nodes.get(key)
        if node is None or _is_null(node):
            return None
        return Fields(self.page, node, f"{self.path}{key}.", known)

    def groups(self, key: str, known: Sequence[str], most: int) -> list[Fields]:
        items = _items(self.nodes.get(key))
        self._count(key, items, most)
        return [
            Fields(self.page, item, f"{self.path}{key}[{number}].", known)
            for number, item in enumerate(items[:most], start=1)
        ]
