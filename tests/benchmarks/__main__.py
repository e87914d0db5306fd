"""`python -m tests.benchmarks [NAME ...]`: run the benchmarks, all or by name."""

import importlib
import pkgutil
import sys

import tests.benchmarks


def main() -> None:
    """Run what was asked for, each from its own module's `main`."""
    known = [m.name for m in pkgutil.iter_modules(tests.benchmarks.__path__) if m.name[0] != "_"]
    wanted = sys.argv[1:] or known
    for name in wanted:
        if name not in known:
            sys.exit(f"There is no benchmark {name!r}; there are {', '.join(known)}.")
        print(f"== {name}")
        importlib.import_module(f"tests.benchmarks.{name}").main()


main()
