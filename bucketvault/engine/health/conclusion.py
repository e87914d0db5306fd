"""One sentence out of all readings: will anything here stop tonight's runs?"""

from bucketvault.engine.health.readings import Reading, Subject
from bucketvault.engine.views.situation import Situation, Tone
from bucketvault.humanize import sentences

# where one of these is bad, runs fail or do not start, unless its issue says otherwise
STOPPING = {
    *(Subject.SCHEDULER, Subject.RCLONE, Subject.DISK, Subject.MEMORY, Subject.DATABASE),
    Subject.KEY,
}


def conclusion(found: tuple[Reading, ...]) -> Situation:
    """Return whether anything here will stop tonight's runs, and the most pressing reading."""
    bad = [reading for reading in found if reading.tone is Tone.BAD]
    if stopping := [reading for reading in bad if _stops_runs(reading)]:
        sentence = f"{_listed(stopping, 'puts', 'put')} tonight's runs at risk."
        return Situation(Tone.BAD, sentence, _first(stopping))
    if bad:
        needs = _listed(bad, "needs", "need")
        sentence = f"Nothing here stops tonight's runs, but {needs} attention."
        return Situation(Tone.BAD, sentence, _first(bad))
    if looks := [reading for reading in found if reading.tone is Tone.WARN]:
        are = _listed(looks, "is", "are")
        sentence = f"Nothing here stops tonight's runs. {are} worth a look."
        return Situation(Tone.WARN, sentence, _first(looks))
    said = {reading.name: reading for reading in found}
    details = ["Scheduled runs start."] if Subject.SCHEDULER in said else []
    if disk := said.get(Subject.DISK):
        details.append(f"{disk.value}. {disk.words}")
    sentence = "This server is healthy. Nothing here stops tonight's runs."
    return Situation(Tone.OK, sentence, " ".join(details))


def _stops_runs(bad: Reading) -> bool:
    return bad.name in STOPPING and (bad.issue is None or bad.issue.is_bad)


def _first(found: list[Reading]) -> str:
    return sentences(found[0].words, found[0].todo)


def _listed(found: list[Reading], verb: str, plural: str) -> str:
    names = [str(reading.name) for reading in found]
    names[1:] = [name if name == "rclone" else name[0].lower() + name[1:] for name in names[1:]]
    if len(names) == 1:
        return f"{names[0]} {verb}"
    return f"{', '.join(names[:-1])} and {names[-1]} {plural}"
