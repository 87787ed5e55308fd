"""What to do next, and why; the tips of a step."""
