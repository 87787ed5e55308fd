"""Time zones: chosen, or the country's."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from whatworks import db
from whatworks.execution import rhythm
from whatworks.people import profiles, zones


def test_a_zone_is_chosen_or_follows_the_country(database: db.Database, asha: str) -> None:
    def zone() -> str:
        return zones.of(database.read(profiles.get, asha)).key

    assert zone() == "Asia/Kolkata"
    database.write(profiles.change, asha, {"country": "DE"})
    assert zone() == "Europe/Berlin"
    database.write(profiles.change, asha, {"time_zone": "Pacific/Auckland"})
    assert zone() == "Pacific/Auckland"
    database.write(profiles.change, asha, {"time_zone": "Mars/Olympus"})  # as old data may have it
    assert zone() == "Europe/Berlin"
    database.write(profiles.change, asha, {"time_zone": ""})
    assert zone() == "Europe/Berlin"


def test_every_zone_can_be_used() -> None:
    assert len(zones.names()) > 400
    for name in zones.names():
        assert zones.is_known(name)
        zone = ZoneInfo(name)
        offset = datetime(2026, 11, 23, 12, tzinfo=zone).utcoffset() or timedelta()
        assert offset.total_seconds() % rhythm.QUARTER == 0, name  # quarters fall on whole ones
