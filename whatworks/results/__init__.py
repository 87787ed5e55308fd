"""What a run brought, the proof of it, and what reviewers said."""
