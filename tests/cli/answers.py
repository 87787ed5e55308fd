"""How a command ends."""

from __future__ import annotations

from click.testing import Result


def fails(result: Result, *said: str) -> str:
    """Exit status 2, one line on stderr that says so, and no traceback. Returns the line."""
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    lines = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1, result.stderr
    for text in said:
        assert text in result.stderr
    return lines[0]


def works(result: Result) -> str:
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result.stdout
