"""A file below and our own bytes above, read as one; the file is never written to."""

from __future__ import annotations

import io
import os
from typing import IO, Any


class Layers(io.RawIOBase):
    """The file up to `cut`, then what is above.

    Without `cut` it is all of the file, until something is written: from there on it is ours.
    """

    def __init__(self, below: IO[bytes], cut: int | None = None, above: bytes = b"") -> None:
        self._below = below
        self._cut = below.seek(0, os.SEEK_END) if cut is None else cut
        self._above = bytearray(above)
        self._at = 0

    @property
    def added(self) -> bytes:
        """What is above."""
        return bytes(self._above)

    def readable(self) -> bool:
        """It is."""
        return True

    def writable(self) -> bool:
        """Above, it is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place; returns it."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._cut + len(self._above)}
        self._at = start[whence] + offset
        return self._at

    def tell(self) -> int:
        """Where we are."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as the layer that we are in goes."""
        if self._at < self._cut:
            self._below.seek(self._at)
            found = self._below.read(min(len(buffer), self._cut - self._at))
        else:
            start = self._at - self._cut
            found = bytes(self._above[start : start + len(buffer)])
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)

    def write(self, data: Any) -> int:
        """Write above; the first time decides where that begins."""
        if not self._above:
            self._cut = self._at
        start = self._at - self._cut
        if start < 0:
            raise OSError("what is below is not ours to change")
        self._above[start : start + len(data)] = data
        self._at += len(data)
        return len(data)

    def truncate(self, size: int | None = None) -> int:
        """End above at `size`."""
        end = self._at if size is None else size
        del self._above[end - self._cut :]
        return end

    def close(self) -> None:
        """Let go of the file below."""
        self._below.close()
        super().close()
