"""`doctor`: looks at all that it needs and changes nothing."""

import argparse
import json

from bucketvault.cli.colour import painted
from bucketvault.cli.watching import EXIT_FAILED, EXIT_OK
from bucketvault.config import Config
from bucketvault.engine.folder_lock import holder
from bucketvault.engine.health import doctor
from bucketvault.engine.views.situation import Tone
from bucketvault.server import address

SHAPES = {Tone.OK: ("✓", "good"), Tone.WARN: ("!", "look"), Tone.BAD: ("✗", "BAD")}
NO_SHAPE = ("·", "none")
NAME_WIDTH = 24


def examine(given: argparse.Namespace, config: Config) -> int:
    """Look at all that bucketvault needs, and say it; returns the exit code."""
    found = doctor.examine(config, holder(config), lambda: address.noted_door(config).ask())
    told = []
    for reading in found:
        shape, word = SHAPES.get(reading.tone, NO_SHAPE)
        words = {"value": reading.value, "words": reading.words, "todo": reading.todo}
        told.append({"name": reading.name, "state": word.lower(), **words})
        if not given.json:
            said = ": ".join(part for part in (reading.value, reading.words) if part)
            state = painted(f"{shape} {word.ljust(4)}", reading.tone)
            print(f"{state}  {reading.name.ljust(NAME_WIDTH)} {said}")
            if reading.todo:
                print(f"{' ' * (NAME_WIDTH + 9)}-> {reading.todo}")
    if given.json:
        whole = {"good": not doctor.is_bad(found), "checks": told}
        print(json.dumps(whole, indent=2, ensure_ascii=False))
    return EXIT_FAILED if doctor.is_bad(found) else EXIT_OK
