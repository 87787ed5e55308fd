"""The tables' way through time, and old data that cannot be used."""
