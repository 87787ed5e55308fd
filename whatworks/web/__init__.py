"""Doors: parse a request, call one verb, present what it returned."""
