"""What the README's figures come from. See README.md beside this file."""
