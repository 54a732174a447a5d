"""`python -m pcltut`: see `pcltut.cli`."""

import os


def main() -> None:
    """Run the command line.

    Threads that wait give their core away: on a busy machine of two cores, waiting threads that spin (OpenMP's
    default) slow training down by a factor of ten. It must be set before torch is imported.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from pcltut.cli import app

    app(prog_name="python -m pcltut")


if __name__ == "__main__":
    main()
