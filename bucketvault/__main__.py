"""`python -m bucketvault` is the same as the console script."""

from bucketvault.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
