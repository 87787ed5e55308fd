"""`whatworks catalogue`: guides come in, are checked, listed and retired."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.answers import fails, works
from tests.cli.conftest import Run
from whatworks import catalogue

GUIDE = catalogue.BUNDLED / "resume_generator.md"


def write(path: Path, text: str) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return str(path)


def test_the_catalogue_is_loaded_listed_and_retired(run: Run, tmp_path: Path) -> None:
    works(run("migrate"))
    assert works(run("catalogue", "load")).count("loaded") >= 12
    assert "loaded" not in works(run("catalogue", "load"))
    changed = GUIDE.read_text().replace("title: ", "title: New ", 1)
    write(tmp_path / "mine" / "resume_generator.md", changed)
    assert "loaded resume_generator v2" in works(run("catalogue", "load", str(tmp_path / "mine")))
    assert "loaded" not in works(run("catalogue", "load"))  # the bundled one does not come back
    line = next(
        line
        for line in works(run("catalogue", "list")).splitlines()
        if line.startswith("resume_generator ")
    )
    assert line.split()[1] == "2"
    assert "New " in line
    works(run("catalogue", "retire", "resume_generator"))
    assert "resume_generator" not in works(run("catalogue", "list"))
    fails(run("catalogue", "retire", "whatsap_bot"), "Did you mean whatsapp_bot?")
    (tmp_path / "empty").mkdir()
    fails(run("catalogue", "load", str(tmp_path / "empty")), "holds no guides")


def test_single_guides_are_loaded_by_their_files(run: Run, tmp_path: Path) -> None:
    works(run("migrate"))
    mine = write(tmp_path / "mine" / "resume_generator.md", GUIDE.read_text())
    said = works(run("catalogue", "load", mine, str(catalogue.BUNDLED / "whatsapp_bot.md")))
    assert said.count("loaded") == 2
    assert len(works(run("catalogue", "list")).splitlines()) == 3
    fails(run("catalogue", "load", str(tmp_path / "none.md")), "none.md")


def test_mistakes_in_guides_are_explained_with_file_and_line(run: Run, tmp_path: Path) -> None:
    assert "no mistakes" in works(run("catalogue", "check", str(GUIDE)))
    bad = write(tmp_path / "bad" / "bad_one.md", GUIDE.read_text().replace("tier: free", "tier: x"))
    odd = tmp_path / "bad" / "odd_one.md"
    odd.write_bytes(b"\xff\xfe")
    result = run("catalogue", "check", bad, str(odd))
    fails(result, f'{bad}:2: workflow is "resume_generator"', 'tier is "x"', f"{odd}:1: is not UTF")
    works(run("migrate"))
    fails(run("catalogue", "load", str(tmp_path / "bad")), 'tier is "x"')
    assert len(works(run("catalogue", "list")).splitlines()) == 1


def test_an_old_workflows_json_comes_in_with_one_command(run: Run, tmp_path: Path) -> None:
    works(run("migrate"))
    steps = [{"number": 1, "title": "Write", "estimated_time": "15 min"}]
    old = {"workflows": {"cold_email": {"title": "Cold e-mail", "tier": "pro", "steps": steps}}}
    file = write(tmp_path / "workflows.json", json.dumps(old))
    said = works(run("catalogue", "import", file))
    assert "loaded cold_email v1" in said
    assert "placeholders" in said
    guide = tmp_path / "data" / "workflows" / "cold_email.md"
    works(run("catalogue", "check", str(guide)))
    fails(run("catalogue", "import", file), "--force overwrites")
    assert "1 unchanged" in works(run("catalogue", "import", file, "--force"))
    fails(run("catalogue", "import", write(tmp_path / "x.json", "{")), "is not valid JSON")
