"""Mails of an application that names no server for them: they are files in its outbox."""

from __future__ import annotations

from pathlib import Path

from flask import Flask

from tests import people


def files(app: Flask) -> list[Path]:
    """Those written so far, oldest first."""
    platform = people.platform(app)
    platform.mailer.close()  # sends what waits
    return sorted((platform.settings.data_dir / "outbox").glob("*.eml"))


def texts(app: Flask) -> list[str]:
    """What they say, headers and all."""
    return [file.read_text(encoding="utf-8") for file in files(app)]


def about(app: Flask, words: str) -> list[str]:
    """Those with these words, on however many lines; white space is one."""
    return [said for text in texts(app) if words in (said := " ".join(text.split()))]
