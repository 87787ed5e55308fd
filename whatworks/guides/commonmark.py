"""The body of a guide: Markdown to HTML that is safe to show, one section per step."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from mdit_py_plugins.tasklists import tasklists_plugin

from whatworks.guides import draft
from whatworks.guides.draft import Page

_LINK: Final = re.compile(r"https://[\w.-]+(:\d+)?([/?#].*)?")
_TAGS: Final = {
    *("h3", "h4", "h5", "h6", "p", "br", "hr", "blockquote", "div", "ul", "ol", "li", "pre"),
    *("strong", "em", "s", "code", "a", "label", "input"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
_ATTRIBUTES: Final = {
    "a": {"href", "title"},
    "code": {"class"},
    "div": {"class", "tabindex", "role", "aria-label"},
    "input": {"class", "checked", "disabled"},
    "li": {"class"},
    "ol": {"start"},
    "pre": {"tabindex"},
    "th": {"scope"},
    "ul": {"class"},
}


@dataclass(frozen=True)
class Section:
    """The part of the body under one `##` heading; `names`: the heading as written, as read."""

    names: tuple[str, str]
    line: int
    html: str


def render(body: str, first_line: int, page: Page) -> tuple[str, list[Section]]:
    """The introduction's HTML and the sections, with every mistake of the body taken down."""
    env: dict[str, Any] = {"mistakes": [], "tables": 0}
    tokens = _MARKDOWN.parse(body, env)
    for line, message in env["mistakes"]:
        page.mistake(first_line + line, message)
    starts = [number for number, token in enumerate(tokens) if _is_section(token)]
    ends = [*starts, len(tokens)][1:]
    introduction = tokens[: starts[0] if starts else None]
    if not introduction:
        page.mistake(first_line, "the introduction is empty; write what one needs and will have")
    introduction_html = _clean(introduction, env)
    sections: list[Section] = []
    for start, end in zip(starts, ends, strict=True):
        line = first_line + (tokens[start].map or [0])[0]
        content = tokens[start + 3 : end]  # after the heading's opening, text and close
        if not content:
            page.mistake(line, "the section is empty; write what to do in this step")
        sections.append(Section(_names(tokens[start + 1]), line, _clean(content, env)))
    return introduction_html, sections


def stands_alone(text: str) -> bool:
    """Whether a text is sound by itself: no mistakes, no sections, and nothing left open."""
    env: dict[str, Any] = {"mistakes": [], "tables": 0}
    tokens = _MARKDOWN.parse(f"{text}\n\n## end", env)
    sections = [number for number, token in enumerate(tokens) if _is_section(token)]
    # One section at the very end: the text neither starts one nor swallows what follows.
    is_sound = sections == [len(tokens) - 3] and not env["mistakes"] and not env.get("references")
    return is_sound and len(tokens) > 3


def _is_section(token: Token) -> bool:
    return token.type == "heading_open" and token.tag == "h2" and token.level == 0


def _names(inline: Token) -> tuple[str, str]:
    read = "".join(" " if "break" in t.type else t.content for t in inline.children or [])
    return draft.plain(inline.content), draft.plain(read)


def _clean(tokens: Sequence[Token], env: EnvType) -> str:
    html = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, env)
    return nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        tag_attribute_values={"input": {"type": {"checkbox"}}},
        url_schemes={"https"},
        link_rel="noopener noreferrer",
    ).strip()


def _find_mistakes(state: StateCore) -> None:
    """Markdown-it rule: note what a guide may not hold, with its line in the body."""
    line = 0
    for token in state.tokens:
        line = token.map[0] if token.map else line
        for offset, message in _mistakes(token):
            state.env["mistakes"].append((line + offset, message))


def _mistakes(token: Token) -> Iterator[tuple[int, str]]:
    if token.type == "heading_open" and token.tag == "h1":
        yield 0, "a heading of level 1 is the page's own; use ## for a step, ### inside one"
    elif token.type == "heading_open" and token.tag == "h2" and token.level:
        yield 0, "a ## heading starts a step and stands at the margin; use ### here"
    elif token.type == "html_block":
        yield 0, _html_mistake(token.content)
    elif token.type == "inline":
        yield from _inline_mistakes(token)


def _inline_mistakes(inline: Token) -> Iterator[tuple[int, str]]:
    position = 0
    for token in inline.children or []:
        # The children carry no lines of their own, so follow their texts through the source.
        text = token.content or ("\n" if "break" in token.type else "")
        found = inline.content.find(text, position) if text else -1
        start = position if found < 0 else found
        position = position if found < 0 else found + len(text)
        offset = inline.content.count("\n", 0, start)
        if token.type == "html_inline":
            yield offset, _html_mistake(token.content)
        elif token.type == "image":
            yield offset, "guides hold no pictures; describe what one sees, or link to it"
        elif token.type == "link_open" and not _LINK.fullmatch(str(token.attrs.get("href"))):
            href = draft.cut(str(token.attrs.get("href")))
            yield offset, f'the link "{href}" does not start with https://; write the full address'


def _html_mistake(html: str) -> str:
    return (
        f"HTML ({draft.cut(html)}) is not kept; write Markdown, "
        "or put it in `backticks` where readers should see it"
    )


def _open_table(
    self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    # Numbered through the guide: landmarks on one page need names of their own.
    env["tables"] += 1
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="Table {env["tables"]}">'
        + self.renderToken(tokens, index, options, env)
    )


def _close_table(
    self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    return self.renderToken(tokens, index, options, env) + "</div>"


def _open_header(
    self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    tokens[index].attrSet("scope", "col")
    return self.renderToken(tokens, index, options, env)


def _code(
    self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    html = RendererHTML.fence(self, tokens, index, options, env)
    return html.replace("<pre>", '<pre tabindex="0">', 1)


def _is_link(url: str) -> bool:  # noqa: ARG001
    return True


def _markdown() -> MarkdownIt:
    # HTML is recognised in order to be refused with its line; nh3 stands behind that.
    markdown = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    markdown.use(tasklists_plugin, label=True)
    # Right after "inline", so before the task lists write HTML of their own.
    markdown.core.ruler.after("inline", "find_mistakes", _find_mistakes)
    # Every address becomes a link, so that a bad one is found rather than left as text.
    markdown.validateLink = _is_link  # type: ignore[method-assign]
    for name, rule in {
        "table_open": _open_table,
        "table_close": _close_table,
        "th_open": _open_header,
        "fence": _code,
        "code_block": _code,
    }.items():
        markdown.add_render_rule(name, rule)
    return markdown


_MARKDOWN: Final = _markdown()
