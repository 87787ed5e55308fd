"""What happens in a run: events, and the state that they add up to."""
