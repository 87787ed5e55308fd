"""whatworks turns sold know-how into guided workflows and learns what works, for whom.

People follow a workflow step by step (an *execution*), log what it brought (an *outcome*), and
from all of it the platform derives *evidence* per market, skill level and goal, says how sure it
is, and recommends the next workflow with a reason that is true.
"""
