"""Lists of the API, page by page."""

from __future__ import annotations

from collections.abc import Callable

from flask.testing import FlaskClient

from tests import people
from tests.people import Person


def test_anybody_may_see_what_there_is_to_do(client: FlaskClient) -> None:
    everything = client.get("/api/workflows").get_json()["workflows"]
    assert len(everything) == 12
    chosen = client.get("/api/workflows?market=agency&skill_level=advanced").get_json()["workflows"]
    assert chosen == [
        one
        for one in everything
        if "agency" in one["markets"] and "advanced" in one["skill_levels"]
    ]
    assert 0 < len(chosen) < 12
    assert client.get("/api/workflows?market=moon").status_code == 400
    for line in everything:
        path, page = f"/api/workflows/{line['workflow_name']}", f"/executor/{line['workflow_name']}"
        guide, shown = client.get(path).get_json(), client.get(page).get_data(as_text=True)
        assert guide["workflow"] == line
        assert len(guide["steps"]) == line["total_steps"]
        assert all(step["html"] in shown for step in guide["steps"])
    missing = client.get("/api/workflows/resume_generatr")
    assert (missing.status_code, missing.get_json()["code"]) == (404, "workflow_not_found")
    assert "resume_generator" in missing.get_json()["error"]


def test_without_a_credential_one_is_told_to_send_it(
    person: Callable[..., Person],
) -> None:
    asha = person()
    stranger = asha.app.test_client()
    for path in (f"/api/execution/{asha.start()}", f"/api/profile/{asha.user_id}"):
        answer = stranger.get(path)
        assert answer.status_code == 404
        assert "Authorization: Bearer" in answer.get_json()["error"]


def test_a_list_goes_on_where_the_page_before_ended(person: Callable[..., Person]) -> None:
    asha, ben = person(), person()
    runs = [asha.start() for _ in range(5)]
    for value in range(5):
        asha.report(runs[0], value=value)
        people.proof(asha, runs[0])
    theirs = ben.start()
    for place, rows, key, count in (
        ("/api/execution", "executions", "execution_id", 5),
        ("/api/outcome", "outcomes", "outcome_id", 5),
        ("/api/proof", "proofs", "proof_id", 5),
    ):
        whole = asha.client.get(f"{place}?user_id={asha.user_id}").get_json()
        assert (len(whole[rows]), whole["next"]) == (count, None)
        seen: list[dict[str, str]] = []
        after: str | None = ""
        while after is not None:
            page = asha.client.get(f"{place}?user_id={asha.user_id}&limit=2{after}").get_json()
            seen += page[rows]
            after = page["next"] and f"&after={page['next']}"
        assert [row[key] for row in seen] == [row[key] for row in whole[rows]]
        answer = asha.client.get(f"{place}?user_id={asha.user_id}&after={theirs}")
        assert (answer.status_code, [*answer.get_json()["fields"]]) == (400, ["after"])
