"""Saying what a run brought, by the page: numbers, proofs, corrections, what it changed."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import pytest
import time_machine
from flask import Flask
from PIL import Image
from werkzeug.test import TestResponse

from tests import people
from tests.people import Person
from tests.races import at_once
from tests.web import forms
from tests.web.pages import text
from whatworks import clock
from whatworks.results import outcomes, proofs
from whatworks.results.outcomes import Outcome


@pytest.fixture
def app(shared_app: Flask) -> Flask:
    """Nobody minds the others here."""
    return shared_app


@pytest.fixture
def run(asha: Person) -> str:
    execution_id = asha.start()
    asha.finish(execution_id)
    return execution_id


def send(asha: Person, run: str, /, query: str = "", **typed: object) -> TestResponse:
    """Fill in the form as it stands, and send it with all that is typed."""
    form = forms.find(asha.client.get(f"/outcome/{run}{query}"), f"/outcome/{run}")
    data = {**form.fields, **typed}
    return asha.client.post(
        form.action, data=data, content_type="multipart/form-data", follow_redirects=True
    )


def logged(asha: Person) -> list[Outcome]:
    return people.platform(asha.app).database.read(outcomes.list_for, asha.user_id)


def picture() -> tuple[io.BytesIO, str]:
    content = io.BytesIO()
    Image.effect_noise((80, 60), 90).save(content, "PNG")
    content.seek(0)
    return content, "proof.png"


# ---- the form -------------------------------------------------------------------------------


def test_nothing_has_to_be_typed_twice(app: Flask) -> None:
    """Metric and currency are there already: the workflow's, and the country's."""
    for country, currency in (("IN", "INR"), ("BD", "BDT"), ("DE", "EUR")):
        person = people.sign_up(app, country=country)
        page = person.client.get(f"/outcome/{person.start()}")
        form = forms.find(page, page.request.path)
        assert form.fields["currency"] == currency
        assert form.fields["metric_type"] == "revenue"
        assert form.fields["share"] == "private"
        assert 'inputmode="decimal"' in text(page)


def test_every_choice_is_kept_as_chosen(asha: Person, run: str) -> None:
    for typed in (
        {"metric_type": "revenue", "value": "₹12,34,567.50"},
        {"metric_type": "revenue", "value": "40", "currency": "USD", "unit": "left from before, 1"},
        {"metric_type": "customers", "value": "3"},
        {"metric_type": "time_saved", "value": "2.5"},
        {"metric_type": "custom", "value": "120", "unit": "followers"},
        {"metric_type": "custom", "value": "2", "unit": "ग्राहक"},
    ):
        assert "Thank you" in text(send(asha, run, **typed))
    found = [(one.metric_type, one.value, one.currency) for one in logged(asha)[::-1]]
    assert found == [
        ("revenue", 1_234_567.5, "INR"),
        ("revenue", 40.0, "USD"),
        ("customers", 3.0, "count"),
        ("time_saved", 2.5, "hours"),
        ("custom", 120.0, "followers"),
        ("custom", 2.0, "ग्राहक"),
    ]
    page = text(asha.client.get(f"/outcome/{run}"))
    for shown in ("₹12,34,567.50", "$40", "3 customers", "2.5 hours saved", "120 followers"):
        assert shown in page


@pytest.mark.parametrize(
    ("typed", "value"),
    [("4.800,50", 4800.5), ("12,50", 12.5), ("Rs. 4,800/-", 4800), ("४,८००", 4800), ("0", 0)],
)
def test_numbers_are_read_as_they_are_written(
    asha: Person, run: str, typed: str, value: float
) -> None:
    assert "Thank you" in text(send(asha, run, metric_type="revenue", value=typed))
    assert [one.value for one in logged(asha)] == [value]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("4.800", "Is that 4800 or 4.8? Write it that way."),
        ("a lot", "Write it as a number, such as 4800; if it was nothing, write 0."),
        ("-5", "Please give a number from 0 to below 1,000,000,000,000."),
        ("9" * 13, "Please give a number from 0 to below 1,000,000,000,000."),
        ("", "Write it as a number, such as 4800; if it was nothing, write 0."),
    ],
)
def test_what_is_no_number_is_asked_again(asha: Person, run: str, typed: str, said: str) -> None:
    page = text(send(asha, run, metric_type="revenue", value=typed), 400)
    assert f"</span>{said}</p>" in page
    assert f'value="{typed}"' in page
    assert logged(asha) == []


def test_a_unit_is_made_of_letters(asha: Person, run: str) -> None:
    page = text(send(asha, run, metric_type="custom", value="2", unit="12"), 400)
    assert "Enter a unit of at most 16 letters" in page
    assert logged(asha) == []


def test_what_is_wrong_is_said_on_top_and_beside_it(asha: Person, run: str) -> None:
    page = send(asha, run, metric_type="revenue", value="a lot", proof_url="http://x", note="kept")
    body = text(page, 400)
    assert re.search(r'<div class="errors" role="alert" tabindex="-1" autofocus>', body)
    for field in ("value", "proof_url"):
        assert f'href="#{field}"' in body
        assert f'id="{field}-error"' in body
        assert re.search(rf'id="{field}"[^>]*aria-invalid="true"', body)
    assert body.index('href="#value"') < body.index('href="#proof_url"')
    assert 'value="a lot"' in body
    assert "kept</textarea>" in body
    assert "<title>Error: " in body
    assert '<details class="more" open>' in body
    assert logged(asha) == []


def test_the_same_form_twice_at_once_is_one_result(asha: Person, run: str) -> None:
    page = asha.client.get(f"/outcome/{run}")
    data = forms.find(page, page.request.path).filled(metric_type="revenue", value="4800")
    tabs = [people.signed_in(asha.app, asha.user_id) for _ in range(4)]

    def press(tab: int) -> str:
        return tabs[tab].post(f"/outcome/{run}", data=data).headers["Location"]

    assert len(set(at_once(4, press))) == 1
    assert len(logged(asha)) == 1


@pytest.fixture
def by_day() -> Iterator[None]:
    """At noon; a new day may bring another list."""
    with time_machine.travel(clock.now().replace(hour=12)):
        yield


@pytest.mark.usefixtures("by_day")
def test_all_pages_after_it_propose_the_same(asha: Person, run: str) -> None:
    """However many of them a page has room for, they are the first of one list."""

    def proposed(page: TestResponse) -> list[str]:
        clicks = (form.action for form in forms.read(page) if form.action.endswith("/click"))
        return list(dict.fromkeys(action.split("/")[2] for action in clicks))

    first = proposed(send(asha, run, metric_type="revenue", value="4800"))
    dashboard = asha.client.get("/dashboard")
    three, five = proposed(dashboard), proposed(asha.client.get("/dashboard/next"))
    assert (len(first), len(three), len(five)) == (1, 3, 5)
    assert first == five[:1]
    assert three == five[:3]
    assert proposed(asha.client.get("/dashboard")) == three
    assert 'href="/dashboard/next">See all 5<' in text(dashboard)
    answer = asha.client.get(f"/api/recommendations/{asha.user_id}?limit=2").get_json()
    assert [one["recommendation_id"] for one in answer["recommendations"]] == five[:2]


# ---- nothing yet, and corrections -----------------------------------------------------------


def test_a_result_takes_the_place_of_nothing_yet(asha: Person, run: str) -> None:
    assert "We ask you again" in text(send(asha, run, metric_type="nothing"))
    assert "Nothing yet" in text(send(asha, run, metric_type="nothing"))
    assert [one.value for one in logged(asha)] == [0.0]
    assert "What you log now takes its place" in text(asha.client.get(f"/outcome/{run}"))
    send(asha, run, metric_type="customers", value="2")
    assert [(one.metric_type, one.value) for one in logged(asha)] == [("customers", 2.0)]
    database = people.platform(asha.app).database
    assert database.read(people.read_model) == people.rebuilt(database)


def test_a_correction_begins_with_what_was_logged(asha: Person, run: str) -> None:
    send(asha, run, metric_type="custom", value="48000", unit="followers", note="a slip")
    (wrong,) = logged(asha)
    page = asha.client.get(f"/outcome/{run}?corrects={wrong.id}")
    fields = forms.find(page, f"/outcome/{run}").fields
    assert fields["metric_type"] == "custom"
    assert (fields["value"], fields["unit"], fields["note"]) == ("48000", "followers", "a slip")
    assert fields["supersedes_id"] == wrong.id
    done = send(asha, run, f"?corrects={wrong.id}", value="4800")
    assert "4,800 followers" in text(done)
    (right,) = logged(asha)
    assert right.supersedes_id == wrong.id


def test_two_corrections_at_once_leave_one(asha: Person, run: str) -> None:
    send(asha, run, metric_type="revenue", value="1")
    (wrong,) = logged(asha)
    pages = [asha.client.get(f"/outcome/{run}?corrects={wrong.id}") for _ in range(3)]
    tabs = [people.signed_in(asha.app, asha.user_id) for _ in pages]

    def press(tab: int) -> int:
        form = forms.find(pages[tab], f"/outcome/{run}")
        return tabs[tab].post(form.action, data=form.filled(value=f"{tab + 10}")).status_code

    assert sorted(at_once(3, press)) == [303, 409, 409]
    assert len(logged(asha)) == 1


# ---- proofs ---------------------------------------------------------------------------------


def test_a_picture_goes_with_the_result(asha: Person, run: str) -> None:
    done = send(asha, run, metric_type="revenue", value="4800", file=picture(), share="show")
    (outcome,) = logged(asha)
    assert outcome.tier == "proof"
    assert outcome.proof_type == "screenshot"
    assert "With a proof, not yet reviewed" in text(done)
    assert f'href="/proofs/{outcome.proof_id}?share=1#sharing"' in text(done)
    assert '<details class="more" open><summary>Share this one' in text(
        asha.client.get(f"/proofs/{outcome.proof_id}?share=1")
    )
    plain = send(asha, run, metric_type="revenue", value="100", proof_type="invoice")
    assert "Counted as your claim" in text(plain)
    assert logged(asha)[0].proof_type == "none"


def test_a_good_picture_survives_a_bad_number(asha: Person, run: str) -> None:
    page = send(asha, run, metric_type="revenue", value="1", currency="QQQ", file=picture())
    assert page.status_code == 400
    form = forms.find(page, f"/outcome/{run}")
    assert form.fields["proof_id"]
    again = {**form.fields, "currency": "INR"}
    done = asha.client.post(form.action, data=again, follow_redirects=True)
    assert "With a proof" in text(done)
    database = people.platform(asha.app).database
    assert len(database.read(proofs.list_for, asha.user_id)) == 1


def test_a_file_that_is_none_is_refused_at_its_field(asha: Person, run: str) -> None:
    for content in (b"", b"GIF89a", b"<svg onload=alert(1)>"):
        file = (io.BytesIO(content), "proof.png")
        page = text(send(asha, run, metric_type="revenue", value="1", file=file), 400)
        assert 'id="file-error"' in page
        assert 'href="#file"' in page
    assert logged(asha) == []


def test_a_picture_of_the_run_can_be_chosen_and_nobody_elses(asha: Person, run: str) -> None:
    other = people.sign_up(asha.app)
    theirs = other.client.post("/api/proof", data={"file": picture()}).get_json()["proof_id"]
    mine = asha.client.post("/api/proof", data={"file": picture(), "execution_id": run})
    proof_id = mine.get_json()["proof_id"]
    page = text(asha.client.get(f"/outcome/{run}"))
    assert f'src="/proofs/{proof_id}/thumb"' in page
    assert send(asha, run, metric_type="revenue", value="1", proof_id=theirs).status_code == 400
    assert "With a proof" in text(
        send(asha, run, metric_type="revenue", value="1", proof_id=proof_id)
    )
    assert [one.proof_id for one in logged(asha)] == [proof_id]


def share(asha: Person, run: str) -> tuple[Outcome, str]:
    """A result whose proof others can see, and where."""
    send(asha, run, metric_type="revenue", value="4800", file=picture(), share="show")
    (outcome,) = logged(asha)
    path = f"/proofs/{outcome.proof_id}"
    assert "/shared/" not in text(asha.client.get(path))  # the wish alone shows nothing
    asha.client.post(f"{path}/share", data={})
    page = text(asha.client.get(path))
    return outcome, "/shared/" + page.partition("/shared/")[2].partition('"')[0]


def test_only_me_ends_the_sharing_and_to_keep_it_keeps_it(asha: Person, run: str) -> None:
    outcome, address = share(asha, run)
    nobody = asha.app.test_client()
    page = asha.client.get(f"/outcome/{run}?corrects={outcome.id}")
    assert forms.find(page, f"/outcome/{run}").fields["share"] == "show"
    assert "Keep showing it" in text(page)
    done = text(send(asha, run, f"?corrects={outcome.id}", value="4900"))
    assert "You show it" in done
    assert "₹4,900" in text(nobody.get(address))
    (outcome,) = logged(asha)
    done = text(send(asha, run, f"?corrects={outcome.id}", share="private"))
    assert "You show it" not in done
    assert nobody.get(address).status_code == 404


@pytest.mark.parametrize("wish", ["private", "show"])
def test_another_result_with_a_shared_proof_needs_a_yes_of_its_own(
    asha: Person, run: str, wish: str
) -> None:
    outcome, address = share(asha, run)
    assert "Shared now; with another result it is private" in text(
        asha.client.get(f"/outcome/{run}")
    )
    with_it = {"proof_id": str(outcome.proof_id), "share": wish}
    done = text(send(asha, run, "", metric_type="customers", value="3", **with_it))
    assert ("Look at it and decide" in done) is (wish == "show")
    assert asha.app.test_client().get(address).status_code == 404


# ---- what it changed ------------------------------------------------------------------------


def test_it_shows_the_cell_before_and_after(app: Flask) -> None:
    """In a segment of their own, so that the counts are theirs."""
    where = {"market": "student", "skill_level": "advanced"}
    first = people.sign_up(app, **where)
    execution_id = first.start("whatsapp_bot")
    first.finish(execution_id, 4)
    page = text(send(first, execution_id, metric_type="customers", value="2"))
    assert "You are the first" in page
    second = people.sign_up(app, **where)
    execution_id = second.start("whatsapp_bot")
    second.finish(execution_id, 4)
    page = text(send(second, execution_id, metric_type="customers", value="3"))
    assert "What it changed for advanced students" in page
    assert "2 people have said what it brought; before you there was 1." in page
    assert "more people have said what it brought" in page  # until it is published
    assert "A good next one for you" in page
    assert "Your own way so far" not in page  # one result is no trend
    page = text(send(second, execution_id, metric_type="customers", value="4"))
    assert "Your own way so far: 7 customers" in page


def test_an_open_run_and_its_result(asha: Person) -> None:
    page = text(send(asha, asha.start("prompt_selling"), metric_type="nothing"))
    assert "this run itself is neither finished nor stopped" in page
