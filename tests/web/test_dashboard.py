"""My place: what is open, what it brought in my own money, and me beside people like me."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask

from tests import people
from tests.people import Person
from whatworks import clock
from whatworks.results.middle_half import MiddleHalf
from whatworks.web import trends
from whatworks.web.views import OutcomeLine

MONDAY = datetime(2026, 11, 23, 6, tzinfo=UTC)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
DAY = 86_400.0


@pytest.fixture
def app(shared_app: Flask) -> Flask:
    """Nobody minds the others here; each test has a segment of its own where it counts."""
    return shared_app


def text(person: Person) -> str:
    page = person.client.get("/dashboard")
    assert page.status_code == 200
    return re.sub(r"\s+", " ", page.get_data(as_text=True))


def line(value: float, days_ago: float = 0.0, **more: object) -> OutcomeLine:
    given = {
        "id": f"{value}",
        "execution_id": f"run of {value}",
        "title": "Resume",
        "metric_type": "revenue",
        "currency": "INR",
        "tier": "claimed",
        **more,
    }
    return OutcomeLine(value=value, created_at=NOW - days_ago * DAY, **given)  # type: ignore[arg-type]


# ---- results over time ----------------------------------------------------------------------


def test_sums_go_up_from_left_to_right() -> None:
    (found,) = trends.trends([line(200.0), line(300.0, 10), line(0.0, 5)], "INR", NOW, {})
    assert [point.y for point in found.points] == [60.0, 100.0]
    assert found.points[0].x < found.points[1].x == 100.0
    assert (found.said, found.top, found.middle) == ("₹500", "₹500", "₹250")
    assert found.points[0].row == ["12 Nov 2026", "Resume", "₹300", "₹300"]
    assert found.rates is None
    assert found.per_hour is None


def test_other_money_is_converted_at_its_day_and_kept_as_it_was() -> None:
    lines = [line(100.0, 30, currency="USD"), line(1000.0)]
    (found,) = trends.trends(lines, "INR", NOW, {"revenue": 8.0})
    assert found.headings == ["Day", "Workflow", "Logged", "In INR", "In all"]
    logged, converted = found.points[0].row[2:4]
    assert logged == "$100"
    assert re.fullmatch(r"₹\d,\d{3} \(rate of \d+ Oct 2026\)", converted)
    assert found.rates is not None
    assert found.rates <= (datetime.fromtimestamp(NOW, UTC) - timedelta(days=30)).date()
    assert 5000 < found.total < 20_000
    assert found.per_hour is not None


def test_money_without_a_rate_stands_apart() -> None:
    lines = [line(500.0), line(2000.0, currency="BDT"), line(1.0, currency="NGN")]
    (found,) = trends.trends(lines, "INR", NOW, {})
    assert found.total == 500.0
    assert [(one.currency, one.value) for one in found.apart] == [("BDT", 2000.0), ("NGN", 1.0)]


def test_whoever_lives_where_there_is_no_rate_sees_their_own_money() -> None:
    lines = [line(2000.0, 3, currency="BDT"), line(500.0, currency="BDT"), line(9.0)]
    (found,) = trends.trends(lines, "BDT", NOW, {})
    assert found.total == 2500.0
    assert [one.currency for one in found.apart] == ["INR"]
    (abroad,) = trends.trends(lines[:2], "INR", NOW, {})
    assert abroad.total == 2500.0
    assert abroad.apart == []


def test_each_metric_has_its_own_line() -> None:
    lines = [
        line(2.5, metric_type="time_saved", currency="hours"),
        line(3.0, metric_type="customers", currency="count"),
        line(7.0, metric_type="custom", currency="followers"),
        line(500.0),
    ]
    found = trends.trends(lines, "INR", NOW, {"time_saved": 5.0, "revenue": 0.5})
    assert [(one.metric_type, one.said) for one in found] == [
        ("revenue", "₹500"),
        ("time_saved", "2.5 hours"),
        ("customers", "3 customers"),
    ]
    assert [one.per_hour for one in found] == [None, "30 min for every hour", None]


def test_old_rows_without_a_time_do_no_harm() -> None:
    spoiled = OutcomeLine("a", "e", "Old", "revenue", 5.0, "INR", None, "claimed")
    (found,) = trends.trends([spoiled, line(5.0)], "INR", NOW, {})
    assert all(0 <= point.x <= 100 for point in found.points)


# ---- beside others --------------------------------------------------------------------------


def test_me_and_the_band_share_a_scale() -> None:
    mine = [line(4800.0, execution_id="a"), line(200.0, execution_id="a"), line(0.0)]
    found = trends.beside(MiddleHalf(23, 2000.0, 9000.0), "revenue", "INR", mine)
    assert found.me is not None
    assert found.low < found.me < found.high < 100
    assert (found.low_said, found.high_said, found.me_said) == ("₹2,000", "₹9,000", "₹2,500")


def test_far_beyond_the_band_is_still_inside_the_picture() -> None:
    found = trends.beside(MiddleHalf(10, 0.0, 0.0), "revenue", "INR", [line(1e9)])
    assert found.me is not None
    assert 0 <= found.low <= found.high < found.me < 100
    nobody = trends.beside(MiddleHalf(10, 0.0, 0.0), "revenue", "INR", [])
    assert nobody.me is None
    assert nobody.high == 0.0


# ---- the page -------------------------------------------------------------------------------


def test_the_first_visit(app: Flask) -> None:
    page = text(people.sign_up(app, market="agency", skill_level="advanced"))
    assert "Your first one" in page
    assert "Nothing logged yet" in page
    assert "Fewer than 10 advanced agencies" in page
    assert page.count('class="because"') == 3
    assert "charts.css" in page


def test_a_run_can_be_resumed_with_one_button(app: Flask) -> None:
    with time_machine.travel(MONDAY):
        asha = people.sign_up(app)
        execution_id = asha.start()
        page = text(asha)
    resume = re.search(r'<section class="card resume".*?</section>', page)
    assert resume is not None
    assert resume[0].count('class="button"') == 1
    assert f'href="/executor/{execution_id}"' in resume[0]
    assert "1 of 4 days this week. Rest days are free." in page
    with time_machine.travel(MONDAY + timedelta(days=6)):
        assert "1 day this week. The next one begins on Monday." in text(asha)


def test_results_in_ones_own_money(app: Flask) -> None:
    asha = people.sign_up(app)
    run = asha.start()
    asha.finish(run)
    asha.report(run, value=4800)
    asha.report(run, value=40, currency="USD")
    asha.report(run, value=5000, currency="BDT")
    page = text(asha)
    for said in ("$40", "BDT5,000", "the European Central Bank has no rate", "rate of"):
        assert said in page, said
    assert re.search(r"₹\d,\d{3}</span> <span class=\"soft\">earned with 2.7 h of work", page)
    assert '<svg class="sum" role="img"' in page
    assert "style=" not in page


def test_the_band_comes_with_ten_and_is_the_same_all_day(app: Flask) -> None:
    where = {"market": "shop_owner", "skill_level": "intermediate"}
    everybody = [people.sign_up(app, **where) for _ in range(10)]
    for number, person in enumerate(everybody[:9]):
        person.report(person.start(), value=1000 * (number + 1))
    asha = everybody[9]
    now = clock.now().replace(hour=6).timestamp()  # far from where one day becomes the next
    with time_machine.travel(now + 2 * DAY):
        assert "Fewer than 10 intermediate shop owners" in text(asha)
    with time_machine.travel(now + 2 * DAY + 1):
        asha.report(asha.start(), value=2500)
        people.platform(app).kept.clear()  # as in another process
        assert "Fewer than 10" in text(asha)  # nobody can tell who has just logged something
    with time_machine.travel(now + 3 * DAY + 1):
        page = text(asha)
    assert "as 10 intermediate shop owners logged it" in page
    assert "You: <strong>₹2,500</strong>" in page
    for word in ("rank", "top", "best", "%"):
        band = re.search(r'id="others".*?</section>', page)
        assert band is not None
        shown = re.sub(r"<[^>]*>", "", band[0]).replace("never a ranking", "")
        assert word not in shown, word


def test_a_result_that_is_waited_for_is_asked_for(app: Flask) -> None:
    asha = people.sign_up(app)
    run = asha.start()
    asha.finish(run)
    assert "Did it bring something?" in text(asha)
    asha.report(run, value=0)
    page = text(asha)
    assert "Did it bring something?" not in page
    assert "all “nothing yet”" in page
