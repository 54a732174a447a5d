"""`python -m pcltut`: see `pcltut.cli`."""

from pcltut.cli import app

if __name__ == "__main__":
    app(prog_name="python -m pcltut")
