"""The catalogue of products: what is in it, and how its mistakes are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from whatworks import catalogue, errors
from whatworks.settings import BadSetting, Settings
from whatworks.store import plans, products


def test_the_bundled_products() -> None:
    found = products.load()
    assert [p.key for p in found.list_()][:3] == ["starter", "pro", "premium"]
    assert found.get("starter").is_free
    assert found.get("pro").prices["INR"] == 49_900
    assert found.get("pro").currency() == "INR"
    assert found.get("pro").currency("eur") == "EUR"
    with pytest.raises(errors.NotFound):
        found.get("gold")
    with pytest.raises(errors.Invalid) as refused:
        found.get("pro").currency("JPY")
    assert "INR" in refused.value.fields["currency"]


def test_what_is_free_and_what_needs_a_plan() -> None:
    tiers = {guide.name: guide.tier for guide in catalogue.read_folder(catalogue.BUNDLED)}
    for name in ("resume_generator", "whatsapp_bot", "prompt_selling"):
        assert tiers[name] == "free"
    assert list(tiers.values()).count("pro") >= 4
    free = plans.from_settings(Settings()).free
    assert (free.executions, free.tiers) == (10, ("free",))


GOOD = '[products.pack]\ntitle = "Pack"\nprices = { INR = 100 }\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("products = 7", "Expected `object`"),
        ("[products.pack]", "title"),
        (GOOD.replace('"Pack"', '"Pack\\r\\nBcc: x@example.com"'), "title"),
        (GOOD + "colour = 'red'", "colour"),
        (GOOD.replace("100", "1.5"), "int"),
        (GOOD.replace("100", "-1"), ">= 1"),
        (GOOD.replace("INR", "RUPEES"), "RUPEES"),
        (GOOD + 'kind = "free"', "is free and has prices"),
        (GOOD.replace("{ INR = 100 }", "{}"), "has no prices"),
        (GOOD + 'kind = "subscription"\nplan = "pro"', "interval"),
        (GOOD + 'kind = "subscription"\ninterval = "month"', "without a plan"),
        (GOOD + 'files = ["absent.zip"]', "absent.zip"),
        (GOOD.replace("pack", "'Bad Key'"), "matching regex"),
        ("= =", "Invalid"),
    ],
)
def test_mistakes_name_the_file_and_what_is_wrong(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "shop.toml"
    path.write_text(text)
    with pytest.raises(BadSetting, match=r"shop\.toml") as refused:
        products.load(path)
    assert told in str(refused.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="absent"):
        products.load(tmp_path / "absent.toml")


def test_files_lie_beside_the_catalogue(tmp_path: Path) -> None:
    (tmp_path / "film.zip").write_bytes(b"PK")
    (tmp_path / "shop.toml").write_text(GOOD + 'files = ["film.zip"]')
    assert products.load(tmp_path / "shop.toml").get("pack").files == (tmp_path / "film.zip",)


@pytest.mark.parametrize(
    "text", ["", "executions=ten api_calls=1 exports=1 tiers=free", "executions=1 tiers=free",
             "executions=1 api_calls=1 exports=1 tiers=", "executions=1 api_calls=1 exports=1 x=1"],
)  # fmt: skip
def test_plans_that_cannot_be_used_are_refused(text: str) -> None:
    with pytest.raises(BadSetting, match="WHATWORKS_PLAN_FREE"):
        plans.from_settings(Settings(plan_free=text))


def test_a_dash_is_no_limit() -> None:
    scale = plans.from_settings(Settings()).scale
    assert [scale.limit(meter) for meter in plans.METERS] == [None, None, None]
    assert plans.from_settings(Settings()).get("unheard of").name == "free"
