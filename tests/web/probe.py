"""Texts that would run if a page took them for markup, and what finds them there."""

from __future__ import annotations

from html.parser import HTMLParser

PAYLOADS = [
    "<probe>",
    "<script>probe()</script>",
    '"><probe onprobe=1>',
    "'><probe onprobe='1'>",
    '" onprobe="1',
    "' onprobe='1' x='",
    "</textarea><probe>",
    "</title><probe>",
    "</script><probe>",
    "<img src=x onprobe=1>",
    "<svg/onprobe=1>",
    "javascript:probe()",
    "{{ 7 * 7 }}<probe>{% raw %}",
    "<!--<probe>",
    "&lt;probe&gt;<probe>",
    "\u2028<probe>\u202e",
    "<probe\n>",
    "＜probe＞<probe>",
    "[x](javascript:probe())<probe>",
    "![](x)<probe>",
]


class Probe(HTMLParser):
    """Collects what a browser would make of a payload."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note elements and attributes that only a payload can have made."""
        if tag == "probe":
            self.found.append(tag)
        for name, value in attrs:
            leads = (value or "").strip().lower().startswith("javascript:") and name != "value"
            if leads or name == "onprobe":
                self.found.append(f"{tag} {name}")

    def handle_data(self, data: str) -> None:
        """Text is only dangerous inside a script."""
        if "probe()" in data and self.get_starttag_text() == "<script>":
            self.found.append("script")


def probed(text: str) -> list[str]:
    probe = Probe()
    probe.feed(text)
    return probe.found
