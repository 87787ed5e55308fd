"""A separate database of invented people, so that every page can be seen in use."""
