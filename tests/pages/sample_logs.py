"""Made-up log lines, as rclone writes them. For tests only."""

import datetime as dt
import functools
import json


def log_line(
    number: int, message: str = "Copied (new)", level: str = "info", **more: object
) -> bytes:
    """One raw line as rclone writes it, `number` seconds after 01:30 in Berlin."""
    stamp = dt.datetime(2026, 11, 22, 0, 30, tzinfo=dt.UTC) + dt.timedelta(seconds=number)
    entry: dict[str, object] = {"time": stamp.isoformat(), "level": level, "msg": message, **more}
    if "object" in more:
        entry["objectType"] = "*s3.Object"
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode()


def stats_line(number: int, share: float) -> bytes:
    total = 66_400_000_000
    stats = {"bytes": int(total * share), "totalBytes": total, "speed": 84e6, "eta": 300}
    message = f"   {share * 61.8:.3f} GiB / 61.840 GiB, {share:.0%}, 80.1 MiB/s, ETA 5m\n"
    return log_line(number, message, stats=stats)


def failed_log() -> list[bytes]:
    denied = (
        "Failed to copy: operation error S3: PutObject, https response error StatusCode: 403, "
        "RequestID: 7f2c, api error AccessDenied: Cannot upload files, storage cap exceeded. "
        "See the Caps & Alerts page to increase your cap."
    )
    inside = "Copied (server-side copy)"
    lines = [
        _step(8, "Pass 1: keeping the old versions of 2 objects", "keep"),
        log_line(8, inside, object="latest.json", size=1_050),
        log_line(8, inside, object="reports/weekly.pdf", size=90_000),
        _step(9, "Pass 1: copying 11 objects, 66.4 GB", "copy"),
        log_line(9, object="base/2026-11-22/base.tar.zst", size=1_900_000_000),
        log_line(10, object="base/2026-11-22/manifest.json", size=48_000),
        stats_line(11, 0.1),
    ]
    lines += [
        log_line(84 + i, object=f"wal/00000001000004A2000000E{i}.zst", size=6_100_000)
        for i in range(4)
    ]
    lines += [
        log_line(88, "Copied (replaced existing)", object="latest.json", size=1_100),
        stats_line(89, 0.4),
        log_line(551, denied, "error", object="base/2026-11-22/pg_wal.tar.zst"),
        log_line(551, denied, "error", object="wal/00000001000004A2000000E5.zst"),
        log_line(551, denied, "error", object="wal/00000001000004A2000000E6.zst"),
        log_line(552, denied, "error", object="reports/weekly.pdf"),
        log_line(553, "Time may be set wrong - time from the storage is 5m after here", "notice"),
        log_line(724, f"Attempt 1/1 failed with 4 errors and: {denied}", "error"),
        log_line(724, f"Failed to copy with 4 errors: last error was: {denied}", "notice"),
        _step(724, "Proving the copy", "prove"),
    ]
    return lines


def long_log(count: int = 100_000) -> list[bytes]:
    """`count` lines of which every hundredth is progress; line 70,000 is an error."""
    return list(_long_log(count))


@functools.cache
def _long_log(count: int) -> list[bytes]:
    lines = []
    for number in range(count):
        if number % 100 == 99:
            lines.append(stats_line(number, number / count))
        elif number == 70_000:
            lines.append(
                log_line(number, "Failed to copy: the needle " * 300, "error", object="x/needle")
            )
        else:
            name = f"2026/spring/raw/A{number // 1000:03}_C{number:06}.mov"
            lines.append(log_line(number, object=name, size=1_000_000 + number * 37))
    return lines


HOSTILE_LINES = [
    b"<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">",
    b"{{ constructor.constructor('document.title=1')() }} ${document.title='owned'} \x00\x1b[31m",
    b"\xff\xfe not utf-8 \xe2\x80\xae drow",
    log_line(
        1,
        "Failed: <b onmouseover=alert(1)>" + "x" * 20_000,
        "error",
        object="<i>&amp;</i>\n\u202egnp",
    ),
    b'{"level":"info","msg":7,"object":[],"time":9}',
    b"",
    b"[" * 5000,
]


def plan_line(number: int, words: str, what: str, name: str, size: int) -> bytes:
    """One line of a plan, as this program writes it."""
    ours = {"object": name, "source": "bucketvault", "bucketvault": "plan", "what": what}
    return log_line(number, words, "notice", **ours, size=size)


def own_line(number: int, message: str, level: str = "notice", **more: object) -> bytes:
    """One line of a run's log that is not rclone's."""
    return log_line(number, message, level, source="bucketvault", **more)


def _step(number: int, message: str, name: str) -> bytes:
    return own_line(number, message, bucketvault="step", step=name, **{"pass": 1})


def looked_log() -> list[bytes]:
    """The lines of a plan: what would go first."""
    removed, replaced = "Would be removed", "Would be replaced: different content"
    gone = [(f"2026/autumn/IMG_{i:04}.jpg", "gone", removed, 3_000_000) for i in range(412, 424)]
    rest = [
        ("2026/autumn/index.json", "changed", replaced, 49_000),
        ("2026/winter/IMG_0001.jpg", "new", "Would be copied", 3_100_000),
    ]
    return [
        own_line(5, said, object=name, bucketvault="plan", what=what, size=size)
        for name, what, said, size in gone + rest
    ]
