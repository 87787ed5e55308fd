"""`python -m whatworks` is the `whatworks` command."""

from whatworks.cli.main import main

if __name__ == "__main__":
    main(prog_name="whatworks")
