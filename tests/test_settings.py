"""Settings: where they come from, which goes first, and errors that name the variable."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from whatworks import settings
from whatworks.settings import BadSetting, Settings

KEY = "k" * 40


def written(folder: Path, text: str, name: str = settings.SETTINGS_FILE) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_alone_are_enough(tmp_path: Path) -> None:
    found = settings.from_env({}, data_dir=tmp_path)
    assert found == Settings(data_dir=tmp_path)
    assert found.url == f"sqlite:///{tmp_path / 'data.db'}"
    assert found.address == "http://localhost:8000"
    assert found.processes == 1


def test_every_setting_has_a_variable_and_a_sentence(tmp_path: Path) -> None:
    for field in fields(Settings):
        assert field.metadata["doc"].endswith("."), field.name
    odd = {
        "database_url": "postgresql://h/d",
        "secret_key": KEY,
        "plan_limits": "observe",
        "log_level": "debug",
        "public_url": "https://a.example",
        "storage_url": "s3://KEY:SECRET@s3.example/bucket",
        "data_dir": str(tmp_path),
        "max_downloads": "3",
        "rate_limit_storage": "valkey://h",
        "proxy_addresses": "10.0.0.0/8",
        "accel_redirect": "/deliveries",
        "razorpay_url": "https://razorpay.example",
        "stripe_url": "https://stripe.example",
        "previous_webhook_secrets_until": "2026-12-31",
        "plan_free": "executions=1 api_calls=- exports=- tiers=free",
        "plan_pro": "executions=2 api_calls=- exports=- tiers=free",
        "plan_scale": "executions=3 api_calls=- exports=- tiers=free",
    }
    plain = {bool: "off", int: "7", str: "text", Path: str(tmp_path)}
    texts = {
        f.name: odd.get(f.name, plain.get(type(f.default), str(tmp_path))) for f in fields(Settings)
    }
    found = settings.from_env({f"WHATWORKS_{name.upper()}": text for name, text in texts.items()})
    for field in fields(Settings):
        value = getattr(found, field.name)
        assert value != field.default or field.name == "data_dir", field.name
        assert isinstance(value, type(field.default) if field.name != "data_dir" else Path)


def test_what_every_host_sets_is_understood(tmp_path: Path) -> None:
    found = settings.from_env(
        {"DATABASE_URL": "postgres://h/d", "PORT": "5000", "DATA_DIR": str(tmp_path)}
    )
    assert (found.url, found.port, found.data_dir) == ("postgres://h/d", 5000, tmp_path)
    assert found.address == "http://localhost:5000"
    assert found.processes == (os.cpu_count() or 1)


def test_our_own_variable_goes_before_the_hosts() -> None:
    assert settings.from_env({"PORT": "5000", "WHATWORKS_PORT": "6000"}).port == 6000


def test_given_before_variable_before_file_before_default(tmp_path: Path) -> None:
    written(tmp_path, 'port = 1000\nthreads = 3\nmail_from = "a@example.com"\n')
    variables = {"PORT": "2000", "WHATWORKS_THREADS": "4", "DATA_DIR": str(tmp_path)}
    found = settings.from_env(variables, port=3000)
    assert (found.port, found.threads, found.mail_from) == (3000, 4, "a@example.com")
    assert found.workers == Settings().workers


def test_a_named_file_goes_before_the_one_in_the_folder(tmp_path: Path) -> None:
    written(tmp_path, "port = 1000\n")
    other = written(tmp_path, "port = 2000\n", "other.toml")
    variables = {"DATA_DIR": str(tmp_path), "WHATWORKS_CONFIG": str(other)}
    assert settings.from_env(variables).port == 2000
    third = written(tmp_path, "port = 3000\n", "third.toml")
    assert settings.from_env(variables, config=third).port == 3000


def test_empty_means_not_set() -> None:
    assert settings.from_env({"PORT": "", "WHATWORKS_THREADS": ""}) == Settings()


@pytest.mark.parametrize("text", ["on", "ON", "true", "Yes", "1", " on "])
def test_on(text: str) -> None:
    assert settings.from_env({"WHATWORKS_RATE_LIMITS": text}).rate_limits is True


@pytest.mark.parametrize("text", ["off", "FALSE", "no", "0"])
def test_off(text: str) -> None:
    assert settings.from_env({"WHATWORKS_RATE_LIMITS": text}).rate_limits is False


@pytest.mark.parametrize(
    ("variable", "text", "says"),
    [
        ("WHATWORKS_RATE_LIMITS", "maybe", "WHATWORKS_RATE_LIMITS"),
        ("WHATWORKS_THREADS", "many", "WHATWORKS_THREADS"),
        ("WHATWORKS_THREADS", "0", "WHATWORKS_THREADS"),
        ("WHATWORKS_THREADS", "-1", "WHATWORKS_THREADS"),
        ("PORT", "65536", "PORT"),
        ("PORT", "http", "PORT"),
        ("DATABASE_URL", "mysql://h/d", "DATABASE_URL"),
        ("DATABASE_URL", "data.db", "DATABASE_URL"),
        ("WHATWORKS_PLAN_LIMITS", "sometimes", "WHATWORKS_PLAN_LIMITS"),
        ("WHATWORKS_SECRET_KEY", "short", "WHATWORKS_SECRET_KEY"),
        ("WHATWORKS_LOG_LEVEL", "LOUD", "WHATWORKS_LOG_LEVEL"),
        ("WHATWORKS_CONFIG", "/nowhere/at/all.toml", "/nowhere/at/all.toml"),
    ],
)
def test_a_mistake_names_its_variable(variable: str, text: str, says: str) -> None:
    with pytest.raises(BadSetting, match=says):
        settings.from_env({variable: text})


@pytest.mark.parametrize("text", ["port = ", "port = 'x'", "prot = 1", "\0", "[port]\na = 1"])
def test_a_mistake_in_the_file(tmp_path: Path, text: str) -> None:
    written(tmp_path, text)
    with pytest.raises(BadSetting, match=r"whatworks\.toml|PORT"):
        settings.from_env({}, data_dir=tmp_path)


def test_an_address_has_no_slash_at_its_end() -> None:
    found = settings.from_env({"WHATWORKS_PUBLIC_URL": "https://whatworks.example/"})
    assert found.address == "https://whatworks.example"


def test_settings_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]


# ---- the key --------------------------------------------------------------------------------


def test_a_key_is_made_once_and_kept_to_its_owner(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    first = settings.ensure_secret(Settings(data_dir=folder))
    again = settings.ensure_secret(Settings(data_dir=folder))
    assert first.secret_key == again.secret_key
    assert len(first.secret_key) >= 64
    assert stat.S_IMODE((folder / "secret-key").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.name for path in folder.iterdir()] == ["secret-key"]


def test_a_given_key_goes_first(tmp_path: Path) -> None:
    given = Settings(data_dir=tmp_path, secret_key=KEY)
    assert settings.ensure_secret(given) is given
    assert list(tmp_path.iterdir()) == []


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        keys = pool.map(
            lambda _: settings.ensure_secret(Settings(data_dir=tmp_path)).secret_key, range(64)
        )
    assert len(set(keys)) == 1


@pytest.mark.parametrize("text", ["", "short", " \n"])
def test_an_unusable_key_is_refused(tmp_path: Path, text: str) -> None:
    written(tmp_path, text, "secret-key")
    with pytest.raises(BadSetting, match="secret-key"):
        settings.ensure_secret(Settings(data_dir=tmp_path))


def test_masked_tells_no_password() -> None:
    found = settings.masked(
        Settings(
            secret_key=KEY,
            database_url="postgresql://asha:pass:w@rd@host/d",
            smtp_url="smtp://asha:secret@mail.example:587",
            rate_limits=False,
        )
    )
    assert found.keys() == {field.name for field in fields(Settings)}
    assert found["database_url"] == "postgresql://asha:***@host/d"
    assert found["smtp_url"] == "smtp://asha:***@mail.example:587"
    assert (found["secret_key"], found["rate_limits"]) == ("***", "off")


@pytest.mark.parametrize("url", ["s3://host", "https://host/bucket", "bucket", "s3://a:b@host/"])
def test_a_store_that_cannot_be_one_is_refused(url: str) -> None:
    with pytest.raises(BadSetting, match="WHATWORKS_STORAGE_URL"):
        settings.from_env({"WHATWORKS_STORAGE_URL": url})


def test_the_secret_of_a_store_is_hidden() -> None:
    url = "s3://KEY:SECRET@s3.example/bucket?region=x"
    shown = settings.masked(settings.from_env({"WHATWORKS_STORAGE_URL": url}))
    assert shown["storage_url"] == "s3://KEY:***@s3.example/bucket?region=x"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("RATE_LIMIT_STORAGE", "memcached://h", "neither valkey"),
        ("PROXY_ADDRESSES", "10.0.0.1/8", "has host bits"),
        ("PROXY_ADDRESSES", "everybody", "does not appear"),
        ("MAX_DOWNLOADS", "64", "below WHATWORKS_THREADS"),
        ("ACCEL_REDIRECT", "https://elsewhere.example", "is a path"),
    ],
)
def test_what_stands_in_front_is_checked(name: str, text: str, said: str) -> None:
    with pytest.raises(settings.BadSetting, match=said):
        settings.from_env({f"WHATWORKS_{name}": text})


def test_secrets_of_the_front_are_masked() -> None:
    shown = settings.masked(
        Settings(previous_secret_keys="old", rate_limit_storage="valkey://:password@h:6379")
    )
    assert "old" not in shown["previous_secret_keys"]
    assert "password" not in shown["rate_limit_storage"]
