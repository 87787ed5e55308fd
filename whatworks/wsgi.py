"""The application that a WSGI server imports: `whatworks.wsgi:app`."""

from whatworks import jobs
from whatworks.app import create_app

app = create_app()
jobs.start(
    app.extensions["whatworks"].database,
    app.extensions["whatworks"].settings.abandon_after_days,
)
