"""Pages as people see them: what stands there, and where one has been led."""

from __future__ import annotations

import re

from werkzeug.test import TestResponse


def text(page: TestResponse, status: int = 200) -> str:
    """What stands on a page that answered as it should; white space is one."""
    assert page.status_code == status, (page.request.path, page.status)
    return re.sub(r"\s+", " ", page.get_data(as_text=True))


def path(page: TestResponse) -> str:
    """Where one has been led."""
    return page.request.path
