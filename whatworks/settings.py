"""What an operator may decide. `from_env()` is the only reader of the environment.

A setting comes from its WHATWORKS_… variable, else from the settings file (TOML, the name in
small letters), else from its default. DATABASE_URL, PORT and DATA_DIR are understood as well,
because every host sets them.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

ALIASES = {"database_url": "DATABASE_URL", "port": "PORT", "data_dir": "DATA_DIR"}
SETTINGS_FILE = "whatworks.toml"
DEMO_MARK = "demo-data"


class BadSetting(Exception):  # noqa: N818 - it is the setting that is bad
    """A setting that cannot be used; the message names it and the remedy."""


def _setting(default: Any, doc: str) -> Any:
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True)
class Settings:
    """All settings, frozen. `docs/settings.md` is held against these lines by a test."""

    data_dir: Path = _setting(Path("data"), "Folder for the database, keys and unsent mail.")
    database_url: str = _setting(
        "", "SQLAlchemy URL. Empty: SQLite in `data.db` inside the data folder."
    )
    secret_key: str = _setting(
        "", "Signs codes and links. Empty: made at the first start, kept in `secret-key` (600)."
    )
    host: str = _setting("127.0.0.1", "Address to listen on.")
    port: int = _setting(8000, "Port to listen on.")
    public_url: str = _setting(
        "", "The address people use, for links in mail. Empty: http://localhost:PORT."
    )
    workers: int = _setting(
        0, "Server processes. 0: one on SQLite (one writer), one per core on PostgreSQL."
    )
    threads: int = _setting(64, "Threads per process; waiting writes share a commit.")
    rate_limits: bool = _setting(True, "`off` only for load tests.")
    trusted_proxies: int = _setting(
        0, "How many proxies in front may set X-Forwarded-For and X-Forwarded-Proto."
    )
    smtp_url: str = _setting(
        "",
        "smtp://user:password@host:587 (STARTTLS) or smtps://…:465. "
        "Empty: mail is written to `outbox` inside the data folder.",
    )
    mail_from: str = _setting("whatworks <hello@localhost>", "Sender of all mail.")
    abandon_after_days: int = _setting(
        30, "An execution untouched for so many days becomes abandoned by itself."
    )
    plan_limits: str = _setting(
        "enforce", "`enforce`, or `observe` to let everybody run workflows of every tier."
    )
    session_days: int = _setting(90, "How long a sign-in lasts.")
    max_body_bytes: int = _setting(1_048_576, "Largest JSON or form body taken.")
    log_level: str = _setting("INFO", "DEBUG, INFO, WARNING or ERROR.")

    @property
    def url(self) -> str:
        """The database URL in force."""
        return self.database_url or f"sqlite:///{self.data_dir / 'data.db'}"

    @property
    def address(self) -> str:
        """The address people use, without a slash at the end."""
        return (self.public_url or f"http://localhost:{self.port}").rstrip("/")

    @property
    def is_demo(self) -> bool:
        """Whether the data folder is marked as holding invented people (`whatworks demo`)."""
        return (self.data_dir / DEMO_MARK).exists()

    @property
    def processes(self) -> int:
        """Server processes in force."""
        if self.workers:
            return self.workers
        return 1 if self.url.startswith("sqlite") else os.cpu_count() or 1


def from_env(
    environ: Mapping[str, str] | None = None, *, config: Path | None = None, **overrides: Any
) -> Settings:
    """Read variables and file; what is given here goes before both, `config` names the file.

    Raises BadSetting, naming the variable and what it takes.
    """
    variables = os.environ if environ is None else environ
    named = {f.name: _variable(variables, f.name) for f in fields(Settings)}
    data_dir = Path(overrides.get("data_dir") or named["data_dir"] or "data")
    values = _file(config or variables.get("WHATWORKS_CONFIG"), data_dir)
    values |= {name: text for name, text in named.items() if text is not None}
    values |= {name: value for name, value in overrides.items() if value is not None}
    settings = Settings(**{name: _convert(name, value) for name, value in values.items()})
    _validate(settings)
    return settings


def ensure_secret(settings: Settings) -> Settings:
    """The same settings with a secret key: the given one, else the kept one, else a new one."""
    if settings.secret_key:
        return settings
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = settings.data_dir / "secret-key"
    if not path.exists():
        _write_once(path, secrets.token_urlsafe(48))
    key = path.read_text().strip()
    if len(key) < 32:
        raise BadSetting(f"{path} holds no usable key; delete the file and a new one is made.")
    return replace(settings, secret_key=key)


def _write_once(path: Path, text: str) -> None:
    """Put a finished file in place, unless another process has just done so."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()


def masked(settings: Settings) -> dict[str, str]:
    """Every setting in force as text, passwords and keys hidden."""
    shown = {f.name: _shown(getattr(settings, f.name)) for f in fields(Settings)}
    shown["secret_key"] = "***" if settings.secret_key else ""
    for name in ("database_url", "smtp_url"):
        shown[name] = re.sub(r"(//[^/:@]*):.*@", r"\1:***@", shown[name])
    return shown


def _shown(value: object) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def _variable(variables: Mapping[str, str], name: str) -> str | None:
    for variable in (f"WHATWORKS_{name.upper()}", ALIASES.get(name)):
        if variable and variables.get(variable):
            return variables[variable]
    return None


def _file(named: Path | str | None, data_dir: Path) -> dict[str, Any]:
    path = Path(named) if named else data_dir / SETTINGS_FILE
    if not named and not path.exists():
        return {}
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as failure:
        raise BadSetting(f"The settings file {path} cannot be read: {failure}.") from failure
    unknown = values.keys() - {f.name for f in fields(Settings)}
    if unknown:
        raise BadSetting(f"{path} names unknown settings: {', '.join(sorted(unknown))}.")
    return values


def _convert(name: str, value: Any) -> Any:
    default = next(f.default for f in fields(Settings) if f.name == name)
    if type(value) is type(default):
        return value
    text = str(value).strip()
    if isinstance(default, bool):
        if text.lower() in {"on", "true", "yes", "1"}:
            return True
        if text.lower() in {"off", "false", "no", "0"}:
            return False
        raise BadSetting(f"WHATWORKS_{name.upper()} is {text!r}; write on or off.")
    if isinstance(default, int):
        if not text.isdecimal():
            raise BadSetting(f"WHATWORKS_{name.upper()} is {text!r}; write a whole number.")
        return int(text)
    return Path(text) if isinstance(default, Path) else text


def _validate(settings: Settings) -> None:
    if not re.match(r"sqlite:///|postgres(ql)?(\+psycopg)?://", settings.url):
        raise BadSetting(
            "DATABASE_URL is neither sqlite:///FILE nor postgresql://USER:PASSWORD@HOST/DATABASE."
        )
    if not 0 <= settings.port < 65_536:
        raise BadSetting("PORT must be between 0 and 65535.")
    if settings.public_url and not re.match(r"https?://[^/]+", settings.public_url):
        raise BadSetting("WHATWORKS_PUBLIC_URL has to start with http:// or https://.")
    if settings.plan_limits not in {"enforce", "observe"}:
        raise BadSetting("WHATWORKS_PLAN_LIMITS is neither enforce nor observe.")
    if settings.secret_key and len(settings.secret_key) < 32:
        raise BadSetting("WHATWORKS_SECRET_KEY needs at least 32 random characters.")
    if settings.threads < 1:
        raise BadSetting("WHATWORKS_THREADS must be at least 1.")
    if settings.log_level.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise BadSetting("WHATWORKS_LOG_LEVEL is one of DEBUG, INFO, WARNING, ERROR.")
