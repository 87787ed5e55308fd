"""The same endpoints as other people would write them, to compare with, and a bare hello."""
