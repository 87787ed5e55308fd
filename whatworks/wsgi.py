"""The application that a WSGI server imports: `whatworks.wsgi:app`."""

from whatworks.app import create_app

app = create_app()
