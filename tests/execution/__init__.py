"""What happens to runs, drawn by chance."""

from hypothesis import HealthCheck, settings

# The database of a test is emptied by no example: each begins a run of its own.
DRAWN = settings(
    max_examples=40,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
