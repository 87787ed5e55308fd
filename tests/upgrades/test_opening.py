"""What is not ours is refused with advice and stays untouched."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from tests import processes
from tests.upgrades.databases import FIVE, FIXTURES, connected
from whatworks import db
from whatworks.upgrades import migrations, opening


def test_a_stranger_that_has_one_of_our_names_is_refused(tmp_path: Path) -> None:
    path = Path(shutil.copy(FIXTURES / "legacy-after.db", tmp_path / "data.db"))
    with contextlib.closing(db.sqlite_driver.connect(path)) as connection:
        connection.execute("CREATE TABLE sessions (theirs TEXT)")
    refused(path, "sessions")


def refused(path: Path, sign: str) -> None:
    """Assert that checking and upgrading refuse the file, with advice, and leave no trace."""
    before = {entry.name: entry.is_file() and entry.read_bytes() for entry in path.parent.iterdir()}
    changed = path.stat().st_mtime_ns
    for verb in (migrations.check, migrations.upgrade, migrations.report):
        with pytest.raises(migrations.Refused) as caught:
            verb(f"sqlite:///{path}")
        assert sign in caught.value.message
        assert path.name in caught.value.message
        assert "not touched" in caught.value.message
        assert "Copy it" in caught.value.message
    after = {entry.name: entry.is_file() and entry.read_bytes() for entry in path.parent.iterdir()}
    assert after == before
    assert path.stat().st_mtime_ns == changed


def make_empty(path: Path) -> None:
    path.touch()


def make_text(path: Path) -> None:
    path.write_text("dear diary\n" * 400)


def make_random(path: Path) -> None:
    path.write_bytes(os.urandom(40_960))


def make_truncated(path: Path) -> None:
    path.write_bytes((FIXTURES / "legacy-after.db").read_bytes()[:200_000])


def make_stub(path: Path) -> None:
    path.write_bytes((FIXTURES / "legacy-after.db").read_bytes()[:50])


def make_scrambled(path: Path) -> None:
    pages = bytearray((FIXTURES / "legacy-after.db").read_bytes())
    for page in range(3, len(pages) // 4096, 3):
        pages[page * 4096 : page * 4096 + 4096] = os.urandom(4096)
    path.write_bytes(pages)


def make_foreign(path: Path) -> None:
    with contextlib.closing(db.sqlite_driver.connect(path)) as connection:
        connection.execute("CREATE TABLE recipes (id INTEGER PRIMARY KEY, dish TEXT)")
        connection.commit()


def make_marked_foreign(path: Path) -> None:
    with contextlib.closing(db.sqlite_driver.connect(path)) as connection:
        connection.execute("PRAGMA application_id = 252006673")


def make_newer(path: Path) -> None:
    migrations.upgrade(f"sqlite:///{path}")
    with contextlib.closing(db.sqlite_driver.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
        connection.commit()


def make_folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("make", "sign"),
    [
        (make_empty, "is empty"),
        (make_text, "not a database"),
        (make_random, "not a database"),
        (make_truncated, "cut short"),
        (make_stub, "cut short"),
        (make_scrambled, "damaged"),
        (make_foreign, "another program"),
        (make_marked_foreign, "another program"),
        (make_newer, "newer version"),
        (make_folder, "folder"),
    ],
)
def test_bad_file_is_refused_and_untouched(
    tmp_path: Path, make: Callable[[Path], None], sign: str
) -> None:
    path = tmp_path / "data.db"
    make(path)
    refused(path, sign)


def test_unreadable_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(shutil.copy(FIXTURES / "legacy-after.db", tmp_path / "data.db"))

    def deny(_path: Path) -> bytes:  # the superuser may read everything, so mode 000 proves nothing
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(opening, "header", deny)
        with pytest.raises(migrations.Refused, match="cannot be read: Permission denied"):
            migrations.upgrade(f"sqlite:///{path}")
    assert path.read_bytes() == (FIXTURES / "legacy-after.db").read_bytes()


@pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)
def test_foreign_and_newer_postgresql_is_refused(empty_url: str) -> None:
    with connected(empty_url) as connection:
        connection.exec_driver_sql("CREATE TABLE recipes (id integer)")
    with pytest.raises(migrations.Refused, match="another program"):
        migrations.upgrade(empty_url)
    with connected(empty_url) as connection:
        connection.exec_driver_sql("DROP TABLE recipes")
    migrations.upgrade(empty_url)
    with connected(empty_url) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'ffffffffffff'")
    with pytest.raises(migrations.Refused, match="newer version"):
        migrations.upgrade(empty_url)


def test_unreachable_postgresql_is_refused_in_a_sentence() -> None:
    with pytest.raises(migrations.Refused, match="The database nowhere cannot be read"):
        migrations.check("postgresql://nobody:secret@127.0.0.1:1/nowhere")


def test_absent_file_and_file_without_tables_are_a_beginning(tmp_path: Path) -> None:
    migrations.check(f"sqlite:///{tmp_path / 'absent.db'}")
    assert os.listdir(tmp_path) == []
    path = tmp_path / "vacuumed.db"
    with contextlib.closing(db.sqlite_driver.connect(path)) as connection:
        connection.execute("VACUUM")
    if path.stat().st_size:
        migrations.upgrade(f"sqlite:///{path}")


def test_no_folder_and_no_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(migrations.Refused, match="folder"):
        migrations.upgrade(f"sqlite:///{tmp_path / 'none' / 'data.db'}")
    with pytest.raises(migrations.Refused, match="memory"):
        migrations.upgrade("sqlite://")


def test_a_database_in_use_is_left_alone_and_checked_without_a_trace(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'data.db'}"
    migrations.upgrade(url)
    database = db.Database(url)
    database.write(lambda session: session.run(text("INSERT INTO user_profiles (id) VALUES ('u')")))
    listed = sorted(os.listdir(tmp_path))
    migrations.check(url)
    assert sorted(os.listdir(tmp_path)) == listed
    assert database.read(lambda session: session.value(text("SELECT count(*) FROM user_profiles")))
    database.close()
    assert os.listdir(tmp_path) == ["data.db"]
    migrations.check(url)
    assert os.listdir(tmp_path) == ["data.db"]


def test_a_locked_database_is_refused_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(shutil.copy(FIXTURES / "legacy-after.db", tmp_path / "data.db"))
    monkeypatch.setattr(opening, "BUSY_SECONDS", 0)
    with processes.locked(path), pytest.raises(migrations.Refused, match="locked"):
        migrations.upgrade(f"sqlite:///{path}")
    assert path.read_bytes() == (FIXTURES / "legacy-after.db").read_bytes()


def test_the_upgraded_file_says_whose_it_is(tmp_path: Path) -> None:
    path = tmp_path / "data.db"
    migrations.upgrade(f"sqlite:///{path}")
    assert path.read_bytes()[68:72] == db.APPLICATION_ID.to_bytes(4, "big")
    migrations.downgrade(f"sqlite:///{path}", FIVE)
    assert path.read_bytes()[68:72] == bytes(4)
