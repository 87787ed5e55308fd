"""From Markdown with front matter to a workflow's steps, every mistake explained. Pure."""
