"""Time zones through the doors, and the calendar file in them."""

from __future__ import annotations

import icalendar
import pytest
from flask.testing import FlaskClient

from tests import people
from tests.people import Person
from tests.web import forms
from tests.web.pages import text
from tests.web.walks import begun, joined


def test_the_zone_is_the_devices_the_choice_or_the_countrys(client: FlaskClient) -> None:
    client.set_cookie("whatworks_zone", "America%2FLima")
    joined(client)
    assert forms.find(client.get("/profile"), "/profile").fields["time_zone"] == "America/Lima"
    form = forms.find(client.get("/profile"), "/profile")
    forms.send(client, form, form.filled(time_zone="Asia/Tokyo"))
    begun(client)  # a choice stays a choice
    form = forms.find(client.get("/profile"), "/profile")
    assert form.fields["time_zone"] == "Asia/Tokyo"
    page = forms.send(client, form, form.filled(time_zone=""))
    assert "Asia/Kolkata" in text(page)
    begun(client, "whatsapp_bot")
    assert forms.find(client.get("/profile"), "/profile").fields["time_zone"] == "America/Lima"


@pytest.mark.parametrize("told", ["Mars%2FOlympus", "%00", "x" * 3000, "..%2F..%2Fetc%2Fpasswd"])
def test_what_is_no_zone_is_not_believed(client: FlaskClient, told: str) -> None:
    client.set_cookie("whatworks_zone", told)
    joined(client)
    assert forms.find(client.get("/profile"), "/profile").fields["time_zone"] == ""


@pytest.mark.parametrize(
    ("zone", "country"),
    [("America%2FLima", "PE"), ("Asia%2FCalcutta", "IN"), ("UTC", "IN"), ("nonsense", "IN")],
)
def test_sign_up_suggests_the_country_of_the_device(
    client: FlaskClient, zone: str, country: str
) -> None:
    """By its time zone; where that is of no country, the one that most are from."""
    client.set_cookie("whatworks_zone", zone)
    assert forms.find(client.get("/signup"), "/signup").fields["country"] == country


def test_the_profile_door_takes_a_zone(asha: Person) -> None:
    place = f"/api/profile/{asha.user_id}"
    assert asha.client.get(place).get_json()["time_zone"] == "Asia/Kolkata"
    changed = asha.client.patch(place, json={"time_zone": "Europe/Berlin"})
    assert changed.get_json()["time_zone"] == "Europe/Berlin"
    refused = asha.client.patch(place, json={"time_zone": "Berlin"})
    assert refused.get_json()["fields"] == {"time_zone": "give a time zone such as Asia/Kolkata"}
    created = {"email": "tokyo@example.com", **people.NEW, "time_zone": "Asia/Tokyo"}
    made = people.made(asha.app.test_client().post("/api/profile", json=created))
    assert made["success"] is True


def test_the_calendar_file_is_the_persons_own(asha: Person) -> None:
    asha.client.patch(f"/api/profile/{asha.user_id}", json={"time_zone": "Europe/Berlin"})
    answer = asha.client.get("/routine.ics?at=07:15")
    assert answer.mimetype == "text/calendar"
    assert "attachment" in answer.headers["Content-Disposition"]
    (event,) = icalendar.Calendar.from_ical(answer.get_data(as_text=True)).walk("VEVENT")
    start = event.decoded("DTSTART")
    assert (start.hour, start.minute) == (7, 15)
    assert str(start.tzinfo) == "Europe/Berlin"
    for wrong in ("24:00", "7", "x", "12:60", "١٢:٠٠"):
        assert asha.client.get("/routine.ics", query_string={"at": wrong}).status_code == 400
