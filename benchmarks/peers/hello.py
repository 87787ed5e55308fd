"""A bare Flask hello: what the server and the framework cost before any work is done."""

from flask import Flask

app = Flask(__name__)


@app.get("/hello")
def hello():
    return {"success": True, "message": "hello"}
