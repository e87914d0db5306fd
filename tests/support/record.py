"""Records what the real rclone says at each failure that can be made to happen on this machine.

`python -m tests.support.record [NAME ...]` writes `tests/data/rclone/NAME.jsonl` (everything
rclone wrote to stderr) and `endings.json` (the exit codes), all of them or the named ones.
Run it when the pinned rclone changes, and read the difference.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from bucketvault.engine.rclone import commands
from bucketvault.engine.rclone.remotes import Remote, config_text
from bucketvault.vocabulary import ProviderType
from tests.support.proxies import FrozenServer, RefusingProxy, Rule, UntrustedServer
from tests.support.servers import RcloneS3, rclone_path
from tests.support.specs import run_spec

RECORDINGS = Path(__file__).parent.parent / "data" / "rclone"
TIMEOUT_S = 300

HOSTILE_KEY = "api error InvalidAccessKeyId: x, StatusCode: 403, no such host.txt"

# The flags of one sync, and of the small commands that look at one side.
FLAGS = (
    *("--metadata", "--log-level", "INFO", "--use-json-log", "--stats", "1s", "--stats-one-line"),
    *("--contimeout", "15s", "--timeout", "5m"),
    *("--transfers", "4", "--checkers", "16", "--buffer-size", "4M"),
)
PATIENT = ("--retries", "3", "--low-level-retries", "5")
HASTY = ("--retries", "1", "--low-level-retries", "1", "--contimeout", "2s", "--timeout", "2s")
EXCLUDE = ("--exclude", "/.bucketvault-archive/**")
ARCHIVE = "dest:copies/.bucketvault-archive/photos-1a2b"
SYNC = ("sync", "source:photos/", "dest:copies/", *EXCLUDE)
SYNC_WITH_ARCHIVE = (*SYNC, "--backup-dir", f"{ARCHIVE}/20261122T020000Z/")
# Without the final slash rclone first asks whether the folder is an object (see `faults.py`).
SYNC_WITHOUT_SLASH = (*SYNC, "--backup-dir", f"{ARCHIVE}/20261122T020000Z")
LIST_DESTINATION = ("lsf", "--max-depth", "1", "--dirs-only", "dest:copies/.bucketvault-archive/")
SIZE_OF_SOURCE = ("size", "--json", "source:photos/", *EXCLUDE)
LIST_BUCKETS = ("lsjson", "source:")


@dataclass(frozen=True, slots=True)
class Ends:
    """The two ends, which a case may change before rclone starts."""

    source: Remote
    destination: Remote
    source_root: Path
    destination_root: Path
    stack: ExitStack


def _as_it_is(ends: Ends) -> Ends:
    return ends


@dataclass(frozen=True, slots=True)
class Case:
    """One command, and what is wrong with the world it runs in."""

    name: str
    command: tuple[str, ...] = SYNC_WITH_ARCHIVE
    at_source: tuple[Rule, ...] = ()
    at_destination: tuple[Rule, ...] = ()
    change: Callable[[Ends], Ends] = _as_it_is
    retries: tuple[str, ...] = PATIENT
    names: tuple[str, ...] = ()  # the lines of names.txt
    source: dict[str, bytes] = field(
        default_factory=lambda: {"new.txt": b"new", "changed.txt": b"changed"}
    )
    destination: dict[str, bytes] = field(
        default_factory=lambda: {"changed.txt": b"old", "removed.txt": b"removed"}
    )


def _source(**changes: str) -> Callable[[Ends], Ends]:
    return lambda ends: replace(ends, source=replace(ends.source, **changes))


def _destination(**changes: str) -> Callable[[Ends], Ends]:
    return lambda ends: replace(ends, destination=replace(ends.destination, **changes))


def _no_bucket(side: str) -> Callable[[Ends], Ends]:
    def change(ends: Ends) -> Ends:
        root = ends.source_root / "photos" if side == "source" else ends.destination_root / "copies"
        shutil.rmtree(root)
        return ends

    return change


def _untrusted(*, expired: bool) -> Callable[[Ends], Ends]:
    def change(ends: Ends) -> Ends:
        server = ends.stack.enter_context(UntrustedServer(expired=expired))
        return replace(ends, destination=replace(ends.destination, endpoint=server.endpoint))

    return change


def _frozen(ends: Ends) -> Ends:
    server = ends.stack.enter_context(FrozenServer())
    return replace(ends, destination=replace(ends.destination, endpoint=server.endpoint))


def _https_to_http(ends: Ends) -> Ends:
    server = ends.stack.enter_context(RcloneS3(ends.destination_root))
    endpoint = server.endpoint.replace("http:", "https:")
    return replace(ends, destination=replace(ends.destination, endpoint=endpoint))


LISTING = r"[?&]list-type=2"
NOBODY = "http://127.0.0.1:1"  # nobody listens there
NO_SUCH_HOST = "http://no-such-host.invalid:9000"
B2_STORAGE_CAP = "Cannot upload files, storage cap exceeded. See the Caps & Alerts page."
B2_TRANSACTION_CAP = "Transaction cap exceeded, see the Caps & Alerts page to increase your cap."
WRONG = {"secret_access_key": "wrong-example-secret"}
UNKNOWN = {"access_key_id": "AKIAUNKNOWNEXAMPLE1"}
NOT_ENTITLED = "not entitled"
COLD = "The operation is not valid for the object's storage class"


def _upload(name: str, status: int, code: str, message: str) -> Case:
    """An object that the destination refuses so."""
    rule = Rule("PUT", "/new.txt", status, code, message)
    return Case(name, COPY, at_destination=(rule,), names=("new.txt", "changed.txt"))


def _refused(name: str, status: int, code: str, message: str) -> Case:
    """A listing of the destination's archive, the first thing a run asks it, refused so."""
    rule = Rule("GET", LISTING, status, code, message)
    return Case(name, LIST_DESTINATION, at_destination=(rule,), retries=HASTY)


SPEC = run_spec("photos", "copies")
STAMP = "20261122T020000Z"
KEEP = tuple(commands.keep(SPEC, STAMP, "names.txt"))
COPY = tuple(commands.copy(SPEC, "names.txt"))
REMOVE = tuple(commands.remove(SPEC, STAMP, "names.txt"))
DENIED = (403, "AccessDenied", "Access Denied")
TOO_LONG = (400, "KeyTooLongError", "Your key is too long")

CASES = (
    Case("sync_success"),
    # The steps of a pass, by names; one of them is not there.
    Case("keep_success", KEEP, names=("changed.txt", "not-there.txt")),
    Case("copy_success", COPY, names=("new.txt", "changed.txt", "not-there.txt")),
    Case("remove_success", REMOVE, names=("removed.txt", "changed.txt", "not-there.txt")),
    Case("bulk_success", tuple(commands.bulk(SPEC))),
    Case(
        "copy_in_parts",
        (*COPY, "--multi-thread-cutoff", "5M"),
        names=("large.bin",),
        source={"large.bin": b"x" * 6_000_000},
    ),
    Case(
        "keep_odd",
        tuple(commands.keep(SPEC, STAMP, "names.txt", odd=True)),
        names=("+ /{{changed\\.txt}}", "- **"),
    ),
    Case(
        "keep_refused",
        KEEP,
        at_destination=(
            Rule("HEAD", "/changed.txt", *DENIED),
            Rule("PUT", "/removed.txt", *TOO_LONG, header="x-amz-copy-source"),
        ),
        names=("changed.txt", "removed.txt"),
    ),
    Case(
        "copy_refused",
        COPY,
        at_source=(Rule("GET", "/new.txt", *DENIED),),
        at_destination=(Rule("PUT", "/changed.txt", *TOO_LONG),),
        names=("new.txt", "changed.txt"),
    ),
    Case(
        "remove_refused",
        REMOVE,
        at_destination=(
            Rule("HEAD", "/unseen.txt", *DENIED),
            Rule("PUT", "/removed.txt", *TOO_LONG, header="x-amz-copy-source"),
            Rule("DELETE", "/stays.txt", *DENIED),
        ),
        names=("removed.txt", "stays.txt", "unseen.txt", "gone.txt"),
        destination={f"{name}.txt": b"x" for name in ("removed", "stays", "unseen", "gone")},
    ),
    # Objects that a service does not take, or does not give.
    Case(
        "keep_outage",  # so often that the SDK has no tries left, and says "retry quota exceeded"
        KEEP,
        at_destination=(
            Rule("PUT", "/copies/", 500, "InternalError", "We", header="x-amz-copy-source"),
        ),
        names=tuple(f"{number}.txt" for number in range(9)),
        destination={f"{number}.txt": b"x" for number in range(9)},
    ),
    _upload("copy_bad_digest", 400, "BadDigest", "The Content-MD5 you specified did not match."),
    _upload(
        "copy_storage_class",
        501,
        "NotImplemented",
        "Backblaze only supports the 'STANDARD' storage class, and not STANDARD_IA",
    ),
    _upload("copy_not_implemented", 501, "NotImplemented", "Header x-amz-acl not implemented"),
    _upload(
        "copy_object_lock",
        400,
        "InvalidRequest",
        "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with "
        "Object Lock parameters",
    ),
    _upload("copy_metadata_too_large", 400, "MetadataTooLarge", "Your metadata headers exceed"),
    _upload("copy_odd_signature", 403, "SignatureDoesNotMatch", "The request signature we"),
    Case(
        "keep_cold",
        KEEP,
        at_destination=(
            Rule("PUT", "/copies/", 403, "ObjectNotInActiveTierError", COLD, "x-amz-copy-source"),
        ),
        names=("changed.txt",),
    ),
    Case(
        "copy_ghost",
        COPY,
        at_source=(Rule("GET", "/new.txt", 404, "NoSuchKey", "The key does not exist."),),
        names=("new.txt",),
    ),
    # The keys, as a real server refuses them.
    Case("sync_source_unknown_key", change=_source(**UNKNOWN)),
    Case("sync_source_wrong_secret", change=_source(**WRONG)),
    Case("sync_destination_unknown_key", change=_destination(**UNKNOWN)),
    Case("sync_destination_wrong_secret", change=_destination(**WRONG)),
    Case(
        "sync_no_slash_destination_wrong_secret",
        SYNC_WITHOUT_SLASH,
        change=_destination(**WRONG),
    ),
    Case("list_destination_wrong_secret", LIST_DESTINATION, change=_destination(**WRONG)),
    Case("size_source_unknown_key", SIZE_OF_SOURCE, change=_source(**UNKNOWN)),
    # The buckets.
    Case("sync_source_no_bucket", change=_no_bucket("source")),
    Case("sync_destination_no_bucket", change=_no_bucket("destination")),
    Case("list_destination_no_bucket", LIST_DESTINATION, change=_no_bucket("destination")),
    Case("size_source_no_bucket", SIZE_OF_SOURCE, change=_no_bucket("source")),
    # What a key may not do.
    Case(
        "sync_source_may_not_list",
        at_source=(Rule("GET", LISTING, 403, "AccessDenied", "Access Denied"),),
    ),
    Case(
        "sync_destination_may_not_list",
        at_destination=(Rule("GET", LISTING, 403, "AccessDenied", "Access Denied"),),
    ),
    Case(
        "sync_source_may_not_list_folder",
        at_source=(Rule("GET", r"prefix=2024%2F", 403, "AccessDenied", "Access Denied"),),
        source={"2024/new.txt": b"new"},
    ),
    Case(
        "sync_destination_may_not_list_folder",
        at_destination=(Rule("GET", r"prefix=2024%2F", 403, "AccessDenied", "Access Denied"),),
        source={"2024/new.txt": b"new"},
        destination={"2024/old.txt": b"old"},
    ),
    Case(
        "sync_source_may_not_read",
        at_source=(Rule("GET", "/photos/new.txt", 403, "AccessDenied", "Access Denied"),),
    ),
    Case(
        "sync_source_may_not_head",
        at_source=(Rule("HEAD", "/photos/", 403, "AccessDenied", "Access Denied"),),
        destination={"changed.txt": b"CHANGED", "removed.txt": b"removed"},
    ),
    Case(
        "sync_destination_may_not_write",
        at_destination=(Rule("PUT", "/copies/", 403, "AccessDenied", "Access Denied"),),
    ),
    Case(
        "sync_destination_may_not_write_large",
        at_destination=(Rule("POST", r"\?uploads", 403, "AccessDenied", NOT_ENTITLED),),
        source={"large.bin": b"x" * 6_000_000},
        command=(*SYNC_WITH_ARCHIVE, "--s3-upload-cutoff", "5M"),
    ),
    Case(
        "sync_destination_may_not_copy",
        at_destination=(
            Rule("PUT", "/copies/", 403, "AccessDenied", "Access Denied", "x-amz-copy-source"),
        ),
    ),
    Case(
        "sync_destination_may_not_delete",
        at_destination=(Rule("DELETE", "/copies/", 403, "AccessDenied", "Access Denied"),),
    ),
    Case(
        "list_buckets_denied",
        LIST_BUCKETS,
        at_source=(Rule("GET", r"^/(\?|$)", 403, "AccessDenied", "Access Denied"),),
    ),
    # What real services answer and local ones do not.
    _refused("b2_master_key", 403, "InvalidAccessKeyId", "Malformed Access Key Id"),
    _refused("b2_not_entitled", 403, "AccessDenied", NOT_ENTITLED),
    _refused("b2_transaction_cap", 403, "AccessDenied", B2_TRANSACTION_CAP),
    _refused("r2_unauthorized", 401, "Unauthorized", "Unauthorized"),
    _refused(
        "r2_key_too_long",
        400,
        "InvalidArgument",
        "Invalid Argument: Credential access key has length 64, should be 32",
    ),
    _refused(
        "aws_clock_skew",
        403,
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
    ),
    _refused(
        "aws_wrong_region",
        400,
        "AuthorizationHeaderMalformed",
        "The authorization header is malformed; the region 'us-east-1' is wrong; "
        "expecting 'eu-central-1'",
    ),
    _refused(
        "aws_other_endpoint",
        301,
        "PermanentRedirect",
        "The bucket you are attempting to access must be addressed using the specified endpoint.",
    ),
    _refused("aws_expired_token", 400, "ExpiredToken", "The provided token has expired."),
    _refused("account_problem", 403, "AccountProblem", "There is a problem with your account."),
    _refused("slow_down", 503, "SlowDown", "Please reduce your request rate."),
    _refused("too_many_requests", 429, "TooManyRequests", "Rate exceeded"),
    _refused("service_unavailable", 503, "ServiceUnavailable", "Service is unavailable."),
    _refused("internal_error", 500, "InternalError", "We encountered an internal error."),
    _refused("web_page_ok", 200, "", "Welcome"),
    _refused("web_page_forbidden", 403, "", "Forbidden"),
    _refused("web_page_not_found", 404, "", "Not Found"),
    _refused("web_page_bad_gateway", 502, "", "Bad Gateway"),
    Case(
        "sync_b2_storage_cap",
        at_destination=(Rule("PUT", "/copies/", 403, "AccessDenied", B2_STORAGE_CAP),),
    ),
    Case(
        "sync_source_cold",
        at_source=(Rule("GET", "/photos/new.txt", 403, "InvalidObjectState", COLD),),
    ),
    Case(
        "sync_destination_cold",
        at_destination=(
            Rule("PUT", "/copies/", 403, "InvalidObjectState", COLD, "x-amz-copy-source"),
        ),
    ),
    Case(
        "sync_destination_quota",
        at_destination=(Rule("PUT", "/copies/", 403, "QuotaExceeded", "Storage quota exceeded"),),
    ),
    Case(
        "sync_destination_disk_full",
        at_destination=(
            Rule("PUT", "/copies/", 507, "XMinioStorageFull", "Storage backend is full"),
        ),
        retries=HASTY,
    ),
    Case(
        "sync_destination_slow_down",
        at_destination=(Rule("PUT", "/copies/", 503, "SlowDown", "Please reduce your rate."),),
        retries=HASTY,
    ),
    Case(
        "sync_source_read_slow_down",
        at_source=(Rule("GET", "/photos/new.txt", 503, "SlowDown", "Please reduce your rate."),),
        retries=HASTY,
    ),
    # The network.
    Case("sync_source_refused", change=_source(endpoint=NOBODY), retries=HASTY),
    Case("sync_destination_refused", change=_destination(endpoint=NOBODY), retries=HASTY),
    Case(
        "list_destination_refused",
        LIST_DESTINATION,
        change=_destination(endpoint=NOBODY),
        retries=HASTY,
    ),
    Case(
        "list_destination_no_such_host",
        LIST_DESTINATION,
        change=_destination(endpoint=NO_SUCH_HOST),
        retries=HASTY,
    ),
    Case("list_destination_frozen", LIST_DESTINATION, change=_frozen, retries=HASTY),
    Case(
        "list_destination_untrusted",
        LIST_DESTINATION,
        change=_untrusted(expired=False),
        retries=HASTY,
    ),
    Case(
        "list_destination_expired",
        LIST_DESTINATION,
        change=_untrusted(expired=True),
        retries=HASTY,
    ),
    Case("list_destination_https_to_http", LIST_DESTINATION, change=_https_to_http, retries=HASTY),
    # rclone itself.
    Case("unknown_flag", (*SYNC, "--no-such-flag")),
    Case("unknown_remote", ("sync", "nowhere:photos/", "dest:copies/")),
    Case("archive_overlaps", ("sync", "source:photos/", "dest:copies/", "--backup-dir", ARCHIVE)),
    # Names that try to be messages.
    Case(
        "hostile_name",
        at_source=(Rule("GET", "/photos/api", 404, "NoSuchKey", "No such key."),),
        source={HOSTILE_KEY: b"x"},
    ),
    Case(
        "hostile_name_cut_off",
        at_source=(),
        source={HOSTILE_KEY: b"x"},
        at_destination=(Rule("PUT", "/copies/", 500, "InternalError", "try again"),),
        retries=HASTY,
    ),
)


def record(case: Case) -> tuple[int, str]:
    """The exit code and everything rclone wrote to stderr, without this machine's addresses."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = []
        for side, bucket in (("source", "photos"), ("destination", "copies")):
            for name, content in getattr(case, side).items():
                file = folder / side / bucket / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            key = f"AKIA{side.upper()}EXAMPLE01"
            server = stack.enter_context(RcloneS3(folder / side, key, f"{side}-example-secret-01"))
            rules = [replace(rule) for rule in getattr(case, f"at_{side}")]
            proxy = stack.enter_context(RefusingProxy(server.endpoint, rules))
            servers.append(
                Remote(
                    label=side,
                    provider_type=ProviderType.AMAZON_S3,
                    endpoint=proxy.endpoint,
                    region="",
                    access_key_id=key,
                    secret_access_key=server.secret_access_key,
                )
            )
        ends = case.change(Ends(*servers, folder / "source", folder / "destination", stack))
        (folder / "names.txt").write_text("".join(f"{name}\n" for name in case.names), "utf-8")
        is_step = "--use-json-log" in case.command  # and has all its flags
        exit_code, said = _run(
            [*case.command, *(() if is_step else (*FLAGS, *case.retries))],
            config_text({"source": ends.source, "dest": ends.destination}),
            folder,
        )
    said = re.sub(r"127\.0\.0\.1:\d{2,}", "127.0.0.1:PORT", said)
    said = re.sub(r" on [\d.]+:53: ", " on 192.0.2.53:53: ", said)  # this network's name server
    return exit_code, said


def _run(arguments: list[str], config: str, folder: Path) -> tuple[int, str]:
    memory = os.memfd_create("config")
    try:
        os.write(memory, config.encode())
        done = subprocess.run(
            [rclone_path(), "--config", f"/proc/self/fd/{memory}", *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            pass_fds=[memory],
            env={"PATH": os.defpath, "HOME": os.devnull, "LANG": "C.UTF-8"},
        )
    finally:
        os.close(memory)
    return done.returncode, done.stderr


def main() -> None:
    """Record the named cases, or all of them."""
    wanted = set(sys.argv[1:])
    if unknown := wanted - {case.name for case in CASES}:
        raise SystemExit(f"no such case: {', '.join(sorted(unknown))}")
    RECORDINGS.mkdir(parents=True, exist_ok=True)
    index = RECORDINGS / "endings.json"
    endings = json.loads(index.read_text()) if index.exists() else {}
    for case in CASES:
        if wanted and case.name not in wanted:
            continue
        exit_code, said = record(case)
        print(f"{case.name}: {exit_code}")
        (RECORDINGS / f"{case.name}.jsonl").write_text(said)
        endings[case.name] = {"exit_code": exit_code, "command": " ".join(case.command)}
    names = [case.name for case in CASES if case.name in endings]
    index.write_text(json.dumps({name: endings[name] for name in names}, indent=2) + "\n")


if __name__ == "__main__":
    main()
