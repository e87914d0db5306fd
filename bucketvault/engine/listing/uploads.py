"""Unfinished uploads in parts at one bucket: list those below a folder, and end those that are old.

rclone that was killed leaves its parts behind, which cost like objects and show in no listing.
rclone's own clean-up takes a folder for the beginning of names: that of `photos/` also ends uploads
below `photos2/` (1.75.2), so this asks by itself, and looks at each key.

Decisions: docs/decisions/money.md.
"""

import datetime as dt
import email.utils
import http.client
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from bucketvault.engine.listing.bucket import DELETED, Conversation, ListingError, whole
from bucketvault.engine.listing.page import parsed

MOST_PAGES = 1000


class Upload(NamedTuple):
    """One that was begun and not completed. `age`: by the service's own clock; None: not told."""

    key: bytes  # of the bucket, UTF-8
    upload_id: str
    age: dt.timedelta | None


class Uploads(Conversation):
    """Asks one bucket about unfinished uploads. Blocks; raises ListingError."""

    def unfinished(self, prefix: str) -> Iterator[Upload]:
        """Yield those of keys that begin with `prefix`, whatever else a service lists."""
        # not URL-encoded: SeaweedFS 4.48 then says that it is, and sends names as they are
        query = {"prefix": prefix, "uploads": ""}
        begin = prefix.encode()
        for _ in range(MOST_PAGES):
            try:
                found, further = self._patiently(partial(self._page, query))
            except ListingError as error:
                if error.code == "NoSuchUpload":  # `rclone serve s3` of a bucket that has none
                    return
                raise
            yield from (upload for upload in found if upload.key.startswith(begin))
            if not further or further.items() <= query.items():
                return
            query = query | further

    def end(self, upload: Upload) -> bool:
        """End one, which deletes its parts; False where there is none such any more."""

        def ask() -> bool:
            query = {"uploadId": upload.upload_id}
            try:
                whole(self._answer(query, upload.key, method="DELETE", expected=DELETED))
            except ListingError as error:
                if error.status != http.client.NOT_FOUND:
                    raise
                return False
            return True

        return self._patiently(ask)

    def _page(self, query: dict[str, str]) -> tuple[list[Upload], dict[str, str]]:
        """Return the uploads of one answer, and what to ask for the next; empty: there is none."""
        answer = self._answer(query)
        date = answer.getheader("Date") or ""
        body = whole(answer)
        otherwise = "The response is not a list of uploads."
        root, begin = parsed(body, "ListMultipartUploadsResult", otherwise)
        uploads = [
            Upload(
                (each.findtext(f"{begin}Key") or "").encode(),
                each.findtext(f"{begin}UploadId") or "",
                age_of(each.findtext(f"{begin}Initiated") or "", date),
            )
            for each in root.iter(f"{begin}Upload")
        ]
        further = {
            "key-marker": root.findtext(f"{begin}NextKeyMarker") or "",
            "upload-id-marker": root.findtext(f"{begin}NextUploadIdMarker") or "",
        }
        is_cut = root.findtext(f"{begin}IsTruncated") == "true"
        return uploads, further if is_cut and further["key-marker"] else {}


def age_of(begun_at: str, date: str) -> dt.timedelta | None:
    """Return how long ago something was, both by the service: our clock may be wrong.

    `begun_at` is ISO 8601, `date` the header of its answer. None: one of them is no time.
    """
    try:
        begun = dt.datetime.fromisoformat(begun_at)
        return email.utils.parsedate_to_datetime(date) - begun
    except (TypeError, ValueError):  # no time at all, or one without a zone
        return None
