"""What an operator may decide. `from_env()` is the only reader of the environment.

A setting comes from its WHATWORKS_… variable, else from the settings file (TOML, the name in
small letters), else from its default. DATABASE_URL, PORT and DATA_DIR are understood as well,
because every host sets them.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date
from pathlib import Path
from typing import Any

from whatworks import clock

ALIASES = {"database_url": "DATABASE_URL", "port": "PORT", "data_dir": "DATA_DIR"}
SETTINGS_FILE = "whatworks.toml"
DEMO_MARK = "demo-data"
SECRETS = (
    "secret_key",
    "previous_secret_keys",
    "razorpay_key_secret",
    "razorpay_webhook_secret",
    "razorpay_webhook_secret_previous",
    "stripe_secret_key",
    "stripe_webhook_secret",
    "stripe_webhook_secret_previous",
)


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
    rate_limit_storage: str = _setting(
        "",
        "valkey://HOST:6379/0 (or redis://…), so that all processes count together. "
        "Empty: each counts in its own memory.",
    )
    trusted_proxies: int = _setting(
        0, "How many proxies in front may set X-Forwarded-For and X-Forwarded-Proto."
    )
    proxy_addresses: str = _setting(
        "127.0.0.0/8 ::1 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7",
        "From which addresses those proxies call; what others say of X-Forwarded-For is ignored.",
    )
    max_downloads: int = _setting(
        0,
        "Large downloads that a process streams at once; more are told to wait (503). "
        "0: half of the threads.",
    )
    accel_redirect: str = _setting(
        "",
        "Internal address under which nginx serves the folder `deliveries`, such as /deliveries. "
        "Empty: the server sends downloads itself.",
    )
    previous_secret_keys: str = _setting(
        "", "Earlier secret keys, separated by spaces; download links signed by them still open."
    )
    smtp_url: str = _setting(
        "",
        "smtp://user:password@host:587 (STARTTLS) or smtps://…:465. "
        "Empty: mail is written to `outbox` inside the data folder.",
    )
    mail_from: str = _setting("whatworks <hello@localhost>", "Sender of all mail.")
    reminders: bool = _setting(True, "`off`: nobody is asked again by mail what a run brought.")
    abandon_after_days: int = _setting(
        30, "An execution untouched for so many days becomes abandoned by itself."
    )
    plan_limits: str = _setting(
        "enforce", "`enforce`, or `observe` to let everybody run workflows of every tier."
    )
    plan_free: str = _setting(
        "executions=10 api_calls=1000 exports=3 tiers=free",
        "What the free plan allows in a month, and the workflows it covers; `-` is no limit.",
    )
    plan_pro: str = _setting(
        "executions=200 api_calls=20000 exports=100 tiers=free,pro", "The same of the pro plan."
    )
    plan_scale: str = _setting(
        "executions=- api_calls=- exports=- tiers=free,pro,scale", "The same of the scale plan."
    )
    products_file: str = _setting(
        "", "The catalogue of products (TOML). Empty: the bundled one, beside the workflows."
    )
    seller_email: str = _setting(
        "", "Who is told when something is paid and not granted. Empty: all operators."
    )
    razorpay_key_id: str = _setting("", "Razorpay's key id. Empty: Razorpay is not offered.")
    razorpay_key_secret: str = _setting("", "Razorpay's key secret; it signs the way back.")
    razorpay_webhook_secret: str = _setting("", "The secret of Razorpay's webhook to /webhook.")
    razorpay_webhook_secret_previous: str = _setting(
        "", "The one before, for what was signed before the change."
    )
    razorpay_url: str = _setting("https://api.razorpay.com", "Where Razorpay's API is.")
    stripe_secret_key: str = _setting("", "Stripe's secret key. Empty: Stripe is not offered.")
    stripe_webhook_secret: str = _setting("", "The secret of Stripe's webhook to /webhook/stripe.")
    stripe_webhook_secret_previous: str = _setting(
        "", "The one before, for what was signed before the change."
    )
    stripe_url: str = _setting("https://api.stripe.com", "Where Stripe's API is.")
    previous_webhook_secrets_until: str = _setting(
        "", "The last day (2026-12-31, UTC) on which the previous webhook secrets are taken."
    )
    session_days: int = _setting(90, "How long a sign-in lasts.")
    max_body_bytes: int = _setting(1_048_576, "Largest JSON or form body taken.")
    storage_url: str = _setting(
        "",
        "Where proofs are kept: s3://KEY:SECRET@host/bucket?region=… (s3+http:// without TLS), or "
        "empty for the folder `files` inside the data folder.",
    )
    max_upload_bytes: int = _setting(10_000_000, "Largest file taken as a proof.")
    max_upload_pixels: int = _setting(25_000_000, "Most pixels of a picture taken as a proof.")
    max_upload_pages: int = _setting(10, "Most pages of a PDF taken as a proof.")
    proofs_per_person: int = _setting(500, "How many proofs one person may keep.")
    proof_bytes_per_person: int = _setting(
        200_000_000, "How many bytes one person’s proofs may take."
    )
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
    def proxy_networks(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        """The networks that proxies call from. Raises ValueError."""
        return tuple(ipaddress.ip_network(one) for one in self.proxy_addresses.split())

    @property
    def link_keys(self) -> tuple[str, ...]:
        """The keys whose download links are honoured, the current one first."""
        return (self.secret_key, *self.previous_secret_keys.split())

    @property
    def razorpay_webhook_secrets(self) -> tuple[str, ...]:
        """The secrets of Razorpay's webhook, the current one first."""
        return self._secrets(self.razorpay_webhook_secret, self.razorpay_webhook_secret_previous)

    @property
    def stripe_webhook_secrets(self) -> tuple[str, ...]:
        """The secrets of Stripe's webhook, the current one first."""
        return self._secrets(self.stripe_webhook_secret, self.stripe_webhook_secret_previous)

    def _secrets(self, current: str, previous: str) -> tuple[str, ...]:
        is_past = clock.now().date().isoformat() > self.previous_webhook_secrets_until
        return tuple(s for s in (current, "" if is_past else previous) if s)

    @property
    def streams(self) -> int:
        """Large downloads at once, in force."""
        return self.max_downloads or max(1, self.threads // 2)

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
    for name in SECRETS:
        shown[name] = "***" if shown[name] else ""
    for name in ("database_url", "smtp_url", "storage_url", "rate_limit_storage"):
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
    text, variable = str(value).strip(), ALIASES.get(name, f"WHATWORKS_{name.upper()}")
    if isinstance(default, bool):
        if text.lower() in {"on", "true", "yes", "1"}:
            return True
        if text.lower() in {"off", "false", "no", "0"}:
            return False
        raise BadSetting(f"{variable} is {text!r}; write on or off.")
    if isinstance(default, int):
        if not text.isdecimal():
            raise BadSetting(f"{variable} is {text!r}; write a whole number.")
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
    if settings.storage_url and not re.match(r"s3(\+http)?://.*/[^/]", settings.storage_url):
        raise BadSetting(
            "WHATWORKS_STORAGE_URL is s3://KEY:SECRET@host/bucket, s3:///bucket?region=… or empty."
        )
    if settings.plan_limits not in {"enforce", "observe"}:
        raise BadSetting("WHATWORKS_PLAN_LIMITS is neither enforce nor observe.")
    if settings.secret_key and len(settings.secret_key) < 32:
        raise BadSetting("WHATWORKS_SECRET_KEY needs at least 32 random characters.")
    if settings.threads < 1:
        raise BadSetting("WHATWORKS_THREADS must be at least 1.")
    _validate_front(settings)
    _validate_gateways(settings)
    if settings.log_level.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise BadSetting("WHATWORKS_LOG_LEVEL is one of DEBUG, INFO, WARNING, ERROR.")


def _validate_front(settings: Settings) -> None:
    """What stands between the site and its visitors: proxies, counters, downloads."""
    if settings.rate_limit_storage and not re.match(
        r"(valkey|redis)(s|\+unix)?://", settings.rate_limit_storage
    ):
        raise BadSetting("WHATWORKS_RATE_LIMIT_STORAGE is neither valkey://… nor redis://….")
    try:
        settings.proxy_networks  # noqa: B018 - read to see whether it can be
    except ValueError as failure:
        raise BadSetting(f"WHATWORKS_PROXY_ADDRESSES: {failure}.") from failure
    if settings.max_downloads >= settings.threads:
        raise BadSetting("WHATWORKS_MAX_DOWNLOADS has to be below WHATWORKS_THREADS.")
    if settings.accel_redirect and not re.fullmatch(r"/[\w./-]*", settings.accel_redirect):
        raise BadSetting("WHATWORKS_ACCEL_REDIRECT is a path, such as /deliveries.")


def _validate_gateways(settings: Settings) -> None:
    """A gateway is set whole or not at all, and an old secret ends on a stated day."""
    for name in ("razorpay", "stripe"):
        if not re.match(r"https?://[^/]+", getattr(settings, f"{name}_url")):
            raise BadSetting(f"WHATWORKS_{name.upper()}_URL has to start with http:// or https://.")
        if getattr(settings, f"{name}_webhook_secret_previous") and not _is_day(
            settings.previous_webhook_secrets_until
        ):
            raise BadSetting(
                f"WHATWORKS_{name.upper()}_WEBHOOK_SECRET_PREVIOUS needs a last day:"
                " WHATWORKS_PREVIOUS_WEBHOOK_SECRETS_UNTIL=2026-12-31."
            )
    if bool(settings.razorpay_key_id) != bool(settings.razorpay_key_secret):
        missing = "SECRET" if settings.razorpay_key_id else "ID"
        raise BadSetting(f"WHATWORKS_RAZORPAY_KEY_{missing} is missing; Razorpay needs both.")


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
