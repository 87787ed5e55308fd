"""Statistics: pure functions of their arguments. No SQL, no Flask, no clock, no global state."""
