"""Store objects under odd names, and look what became of each: by our requests, then by rclone."""

from collections.abc import Iterator, Mapping

from bucketvault.engine.listing.asking import Asker
from bucketvault.engine.listing.bucket import ListingError
from bucketvault.engine.listing.page import Entry
from bucketvault.engine.probe.results import About, Finding, Found, NameFinding, NameResult
from bucketvault.engine.rclone.names import is_odd
from bucketvault.sanitize import clean

# By what is odd about them. Each was lost, renamed or refused by some server: SeaweedFS 4.48 (`//`,
# a backslash, dots, length, order), `rclone serve s3` (control characters), s3rver (`&`), servers
# that ignore `encoding-type` (`+`, `%`: rclone decodes their listings all the same).
ODD: Mapping[str, tuple[str, ...]] = {
    "plus": ("a+b",),
    "percent": ("%41", "100%"),
    "ampersand": ("a&b",),
    "blanks": (" a", "a ", "a  b"),
    "double_slash": ("d//x",),
    "dots": ("s/./x", "s/../x", "a."),
    "backslash": ("b\\x",),
    "trailing_slash": ("folder/",),
    "unicode": ("\u00e9", "e\u0301"),  # two ways to write one letter
    "case": ("Case", "case"),
    "folder_and_object": ("p", "p!", "p/x"),
    "long": ("l" * 300,),
    "control": ("c/a\x01b",),  # alone: rclone cannot read a plain listing of its folder
}
UNLISTED = ODD["control"][0]  # XML has no such character


class Names:
    """Objects with odd names below a folder, and what became of them."""

    def __init__(self, asker: Asker, folder: str) -> None:
        self._asker, self._folder = asker, folder
        keys = [key for each in ODD.values() for key in each]
        # each is as long as no other: so a listing tells which one is where
        self._bodies = {key: b"x" * (17 + number) for number, key in enumerate(keys)}
        self._refused: dict[str, str] = {}  # with the provider's code

    def write(self) -> None:
        """Write all of them. A refusal is noted; raises ListingError if there is no answer."""
        for key, body in self._bodies.items():
            try:
                self._asker.ask("PUT", self._key(key), body=body)
            except ListingError as error:
                if error.status in (0, 429, 503):  # it is busy or away
                    raise
                self._refused[key] = f"{error.status} {error.code}".strip()

    def findings(self, listed: list[Entry]) -> Iterator[NameFinding | Finding]:
        """Yield what became of each kind of name, and if the listing was in order.

        `listed` is all that lies below the folder, in the order of the service.
        """
        keys = [entry.key for entry in listed]
        yield Finding(About.ORDERED, Found.YES if keys == sorted(keys) else Found.NO)
        sizes = {entry.key: entry.size for entry in listed}
        for name, of in ODD.items():
            yield self._worst(name, [self._result(name, key, sizes) for key in of])

    def arrived(self, before: list[NameFinding], listed: list[Entry]) -> Iterator[NameFinding]:
        """Yield those kinds that are kept, and of which rclone did not bring all."""
        there = {(entry.key, entry.size) for entry in listed}
        for finding in before:
            if finding.result is not NameResult.KEPT:
                continue
            # what a folder's listing of rclone's never has is carried by a filter over the bucket
            keys = [key for key in ODD[finding.name] if not is_odd(key.encode())]
            missing = [key for key in keys if (key.encode(), len(self._bodies[key])) not in there]
            if missing:
                yield NameFinding(finding.name, NameResult.NOT_BY_RCLONE, clean(missing[0]))

    def _key(self, name: str) -> bytes:
        return f"{self._folder}{name}".encode()

    def _result(self, name: str, key: str, sizes: Mapping[bytes, int]) -> NameFinding:
        if key in self._refused:
            return NameFinding(name, NameResult.REFUSED, code=clean(self._refused[key], limit=100))
        raw, size = key.encode(), len(self._bodies[key])
        if raw not in sizes:
            became = next((other for other, length in sizes.items() if length == size), None)
            if became is None:
                return NameFinding(
                    name, NameResult.MERGED if len(ODD[name]) > 1 else NameResult.LOST
                )
            return NameFinding(name, NameResult.RENAMED, clean(became.decode("utf-8", "replace")))
        if sizes[raw] != size:
            other = sizes[raw] in map(len, self._bodies.values())
            return NameFinding(name, NameResult.MERGED if other else NameResult.ALTERED)
        try:
            read = self._asker.ask("GET", self._key(key)).body
        except ListingError as error:
            if not error.status:
                raise
            return NameFinding(name, NameResult.UNREADABLE, code=clean(error.code, limit=100))
        kept = read == self._bodies[key]
        return NameFinding(name, NameResult.KEPT if kept else NameResult.UNREADABLE)

    @staticmethod
    def _worst(name: str, each: list[NameFinding]) -> NameFinding:
        bad = [found for found in each if found.result is not NameResult.KEPT]
        return bad[0] if bad else NameFinding(name, NameResult.KEPT)
