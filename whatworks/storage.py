"""Files behind five small functions: a local folder, or a bucket that speaks S3.

A key is a path of small letters, digits, dots and dashes. What is put is there to stay when `put`
returns, and never half; putting a key again replaces it.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from obstore import exceptions
from obstore.store import S3Store

from whatworks import errors

KEY: Final = re.compile(r"[a-z0-9][a-z0-9.-]*(/[a-z0-9][a-z0-9.-]*)*")
TIMEOUT: Final = timedelta(seconds=10)


class Store(Protocol):
    """Where files are. Every function raises Unavailable when the place cannot be reached."""

    def put(self, key: str, content: bytes) -> None:
        """Keep a file."""

    def get(self, key: str) -> bytes:
        """A file's content. Raises NotFound."""

    def remove(self, key: str) -> None:
        """Let go of a file; of one that is not there, too."""

    def list_keys(self, folder: str) -> list[str]:
        """The keys under a folder, in order."""

    def describe(self) -> str:
        """Where this is, for operators; says no secret."""


class Folder:
    """Files in a local folder, readable by its owner only."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, key: str, content: bytes) -> None:
        """Write beside, sync, and rename: after a power cut it is there whole, or not at all."""
        path = self._path(key)
        with _reachable():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = path.with_name(f".{secrets.token_hex(8)}")
            try:
                with os.fdopen(
                    os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
                ) as f:
                    f.write(content)
                    f.flush()
                    os.fsync(f.fileno())
                draft.rename(path)
            finally:
                draft.unlink(missing_ok=True)
            for folder in _between(path.parent, self._root.parent):
                _sync(folder)

    def get(self, key: str) -> bytes:
        """Read it."""
        with _reachable():
            return self._path(key).read_bytes()

    def remove(self, key: str) -> None:
        """Delete it, and its folder when that is empty then."""
        path = self._path(key)
        with _reachable():
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # not empty, or somebody else was faster
                path.parent.rmdir()

    def list_keys(self, folder: str) -> list[str]:
        """Walk through the folder; what is half written is not there yet."""
        root = self._path(folder)
        with _reachable():
            paths = [path for path in root.rglob("*") if path.is_file()]
        keys = (path.relative_to(self._root).as_posix() for path in paths)
        return sorted(key for key in keys if KEY.fullmatch(key))

    def describe(self) -> str:
        """The folder."""
        return f"in the folder {self._root}"

    def _path(self, key: str) -> Path:
        return self._root / _checked(key)


class Bucket:
    """Files in a bucket of any service that speaks S3."""

    def __init__(self, store: S3Store, name: str, prefix: str) -> None:
        self._store = store
        self._name = name
        self._prefix = f"{prefix}/" if prefix else ""

    def put(self, key: str, content: bytes) -> None:
        """Send it; the service answers when it is kept."""
        with _reachable():
            self._store.put(self._path(key), content)

    def get(self, key: str) -> bytes:
        """Fetch it."""
        with _reachable():
            return bytes(self._store.get(self._path(key)).bytes())

    def remove(self, key: str) -> None:
        """Delete it."""
        with _reachable(), contextlib.suppress(FileNotFoundError):
            self._store.delete(self._path(key))

    def list_keys(self, folder: str) -> list[str]:
        """Ask for all of them."""
        with _reachable():
            found = [
                entry["path"] for part in self._store.list(self._path(folder)) for entry in part
            ]
        return sorted(path.removeprefix(self._prefix) for path in found)

    def describe(self) -> str:
        """The bucket."""
        return f"in the bucket {self._name}"

    def _path(self, key: str) -> str:
        return self._prefix + _checked(key)


def open_(url: str, folder: Path) -> Store:
    """The store that a setting names: empty for the folder, or an address as `settings` says.

    Opening reaches for nothing; a wrong address shows at the first use.
    """
    if not url:
        return Folder(folder)
    parts = urlsplit(url)
    bucket, _, prefix = parts.path.strip("/").partition("/")
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    config: dict[str, Any] = {"region": options.get("region", "us-east-1")}
    if parts.username:
        config["access_key_id"] = unquote(parts.username)
        config["secret_access_key"] = unquote(parts.password or "")
    if parts.hostname:
        port = f":{parts.port}" if parts.port else ""
        scheme = "http" if parts.scheme == "s3+http" else "https"
        config["endpoint"] = f"{scheme}://{parts.hostname}{port}"
        config["virtual_hosted_style_request"] = False
    client: Any = {"timeout": TIMEOUT, "allow_http": parts.scheme == "s3+http"}
    retries: Any = {"max_retries": 2, "retry_timeout": TIMEOUT}
    store = S3Store(bucket, client_options=client, retry_config=retries, **config)
    return Bucket(store, bucket, prefix)


def _checked(key: str) -> str:
    if not KEY.fullmatch(key):
        raise ValueError("a key that is no path of ours")
    return key


@contextlib.contextmanager
def _reachable() -> Iterator[None]:
    """Say what happened in our own words: a missing file, or a place that cannot be used now."""
    try:
        yield
    except FileNotFoundError as absent:
        raise errors.NotFound("This file is not there any more.") from absent
    except (OSError, exceptions.BaseError) as failure:
        raise errors.Unavailable(
            "Files cannot be kept or fetched right now; try again shortly.", retry_after=30
        ) from failure


def _between(folder: Path, top: Path) -> Iterator[Path]:
    """A folder and those around it, up to `top` but without it."""
    while folder != top and top in folder.parents:
        yield folder
        folder = folder.parent


def _sync(folder: Path) -> None:
    """Make the name of a new file as lasting as its content."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
