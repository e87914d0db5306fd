"""What a person or `apply` enters for a Provider, a Storage, a Backup; and the same, checked.

Fields one by one are in `rules`; here is what they mean to each other. Knows no database: what
depends on other rows is in `catalogue`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from bucketvault.engine.domain import rules
from bucketvault.engine.domain.places import b2_region, r2_endpoint
from bucketvault.errors import Problem
from bucketvault.vocabulary import ComparisonMode, ProviderType, Schedule, UsageType, Weekday

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ProviderInput:
    """A Provider as entered. Keys that are None stay as they are when a Provider is changed."""

    name: object
    provider_type: object
    endpoint: object = ""
    account_id: object = ""  # Cloudflare R2 only; kept as the endpoint it stands for
    region: object = ""
    access_key_id: object = field(default=None, repr=False)
    secret_access_key: object = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class StorageInput:
    """A Storage as entered; `usage_type` None or empty: it may be either end."""

    provider_id: object
    bucket_name: object
    display_name: object = ""
    usage_type: object = None


@dataclass(frozen=True, slots=True)
class BackupInput:
    """A Backup as entered; paths are empty for the whole bucket, `weekday` is for weekly ones."""

    name: object
    source_storage_id: object
    source_path: object
    destination_storage_id: object
    destination_path: object
    schedule: object
    at: object
    weekday: object
    time_zone: object
    enabled: object = True
    retention_days: object = 30
    comparison_mode: object = ComparisonMode.DEFAULT
    shrink_limit_percent: object = 50


@dataclass(frozen=True, slots=True)
class ProviderValues:
    """A Provider's fields, checked. A key that is None was not entered."""

    name: str
    provider_type: ProviderType
    endpoint: str
    region: str
    access_key_id: str | None = field(repr=False)
    secret_access_key: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class StorageValues:
    """A Storage's fields, checked."""

    provider_id: int
    bucket_name: str
    display_name: str
    usage_type: UsageType | None


@dataclass(frozen=True, slots=True)
class BackupValues:
    """A Backup's fields, checked."""

    name: str
    source_storage_id: int
    source_path: str
    destination_storage_id: int
    destination_path: str
    schedule: Schedule
    at: str
    weekday: Weekday | None
    time_zone: str
    enabled: bool
    retention_days: int
    comparison_mode: ComparisonMode
    shrink_limit_percent: int


class Sheet:
    """Collects what is wrong, field by field, so that a form can show all of it at once."""

    def __init__(self, problems: Iterable[Problem] = ()) -> None:
        self.problems = list(problems)

    def take(self, name: str, rule: Callable[[object], T], value: object, otherwise: T) -> T:
        """What `rule` makes of `value`; `otherwise`, and a note of why, where it refuses."""
        try:
            return rule(value)
        except rules.Refusal as refusal:
            self.refuse(name, str(refusal))
            return otherwise

    def refuse(self, name: str, message: str) -> None:
        """Note that the field `name` cannot stay as it is."""
        self.problems.append(Problem(name, message))

    def is_good(self, *names: str) -> bool:
        """Whether nothing was noted about these fields."""
        return not any(problem.field in names for problem in self.problems)


def provider_fields(given: ProviderInput, *, new: bool) -> tuple[ProviderValues, list[Problem]]:
    """The checked fields of a Provider and what is wrong with them; `new`: it needs its keys."""
    sheet = Sheet()
    kind = sheet.take(
        "provider_type", rules.word(ProviderType), given.provider_type, ProviderType.AMAZON_S3
    )
    endpoint = sheet.take("endpoint", rules.endpoint_rule, given.endpoint, "")
    region = sheet.take("region", rules.region_rule, given.region, "")
    account = sheet.take("account_id", rules.account_id_rule, given.account_id, "")
    if sheet.is_good("provider_type", "endpoint", "region", "account_id"):
        endpoint, region = _address(sheet, kind, endpoint, region, account)
    values = ProviderValues(
        name=sheet.take("name", rules.name_rule, given.name, ""),
        provider_type=kind,
        endpoint=endpoint,
        region=region,
        access_key_id=_key(sheet, "access_key_id", given.access_key_id, new=new),
        secret_access_key=_key(sheet, "secret_access_key", given.secret_access_key, new=new),
    )
    return values, sheet.problems


def storage_fields(
    given: StorageInput, *, listed: bool = False
) -> tuple[StorageValues, list[Problem]]:
    """The checked fields of a Storage and what is wrong with them.

    `listed`: the provider itself told this bucket's name, so it need not follow today's rules.
    """
    sheet = Sheet()
    bucket_rule = rules.listed_bucket_rule if listed else rules.typed_bucket_rule
    values = StorageValues(
        provider_id=sheet.take(
            "provider_id",
            rules.reference("Choose the provider of this bucket."),
            given.provider_id,
            0,
        ),
        bucket_name=sheet.take("bucket_name", bucket_rule, given.bucket_name, ""),
        display_name=sheet.take("display_name", rules.shown_name_rule, given.display_name, ""),
        usage_type=sheet.take("usage_type", rules.optional_word(UsageType), given.usage_type, None),
    )
    return values, sheet.problems


def backup_fields(given: BackupInput) -> tuple[BackupValues, list[Problem]]:
    """The checked fields of a Backup and what is wrong with them."""
    sheet = Sheet()
    name = sheet.take("name", rules.name_rule, given.name, "")
    schedule = sheet.take("schedule", rules.word(Schedule), given.schedule, Schedule.DAILY)
    weekday = sheet.take("weekday", rules.optional_word(Weekday), given.weekday, None)
    if sheet.is_good("schedule", "weekday"):
        if schedule is Schedule.WEEKLY and weekday is None:
            sheet.refuse("weekday", "A weekly backup needs a weekday, such as sunday.")
        if schedule is Schedule.DAILY and weekday is not None:
            sheet.refuse(
                "weekday", "A daily backup has no weekday: leave it out, or choose weekly."
            )
    from_storage = rules.reference("Choose the bucket to copy from.")
    to_storage = rules.reference("Choose the bucket to copy to.")
    take = sheet.take
    values = BackupValues(
        name=name,
        source_storage_id=take("source_storage_id", from_storage, given.source_storage_id, 0),
        source_path=take("source_path", rules.path_rule, given.source_path, ""),
        destination_storage_id=take(
            "destination_storage_id", to_storage, given.destination_storage_id, 0
        ),
        destination_path=take("destination_path", rules.path_rule, given.destination_path, ""),
        schedule=schedule,
        at=take("at", rules.clock_rule, given.at, "00:00"),
        weekday=weekday,
        time_zone=take("time_zone", rules.time_zone_rule, given.time_zone, "UTC"),
        enabled=take("enabled", rules.yes_or_no_rule, given.enabled, False),
        retention_days=take(
            "retention_days",
            rules.whole_number("Kept versions stay for", 1, rules.LONGEST_RETENTION_DAYS, "days"),
            given.retention_days,
            1,
        ),
        comparison_mode=take(
            "comparison_mode",
            rules.word(ComparisonMode),
            given.comparison_mode,
            ComparisonMode.DEFAULT,
        ),
        shrink_limit_percent=take(
            "shrink_limit_percent",
            rules.whole_number("The limit for removals is", 0, 100, "percent"),
            given.shrink_limit_percent,
            0,
        ),
    )
    return values, sheet.problems


def _key(sheet: Sheet, name: str, value: object, *, new: bool) -> str | None:
    if value is None and not new:
        return None
    return sheet.take(name, rules.key_rule, value, None)


def _address(
    sheet: Sheet, kind: ProviderType, endpoint: str, region: str, account: str
) -> tuple[str, str]:
    """Endpoint and region as they are stored, once what each service needs is there."""
    if kind is not ProviderType.CLOUDFLARE_R2 and account:
        sheet.refuse("account_id", "Only Cloudflare R2 has an account id: leave it empty.")
    if kind is ProviderType.CLOUDFLARE_R2:
        return _address_of_r2(sheet, endpoint, region, account), "auto"
    if kind is ProviderType.BACKBLAZE_B2:
        _check_address_of_b2(sheet, endpoint, region)
    elif not endpoint and not region:
        sheet.refuse("region", "Amazon S3 needs a region, such as eu-central-1.")
    return endpoint, region


def _address_of_r2(sheet: Sheet, endpoint: str, region: str, account: str) -> str:
    if region not in ("", "auto"):
        sheet.refuse("region", "Cloudflare R2 has no regions: leave it empty.")
    if not endpoint and not account:
        sheet.refuse("account_id", "Cloudflare R2 needs your account id, or the endpoint.")
    if not account:
        return endpoint
    # the endpoint of a jurisdiction is https://ACCOUNT.eu.r2.cloudflarestorage.com
    if endpoint and not endpoint.startswith(f"https://{account}."):
        sheet.refuse("account_id", "The endpoint belongs to another account: leave one empty.")
    return endpoint or r2_endpoint(account)


def _check_address_of_b2(sheet: Sheet, endpoint: str, region: str) -> None:
    if not endpoint and not region:
        sheet.refuse(
            "region",
            "Backblaze B2 needs the bucket's region, such as us-west-004, or its endpoint.",
        )
        return
    place = b2_region(endpoint) if endpoint else None
    if place and region and place != region:
        sheet.refuse("region", f"The endpoint is in the region {place}: leave one of them empty.")
