"""The fields of a Provider, a Storage and a Backup, each with its rule; and all of them checked.

A field carries what it may hold, what it is called on pages and where `setup.toml` has it: forms,
`apply` and the catalogue read the same list. Knows no database: what depends on other rows is in
`catalogue`.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from bucketvault.engine.domain import pasted, rules
from bucketvault.engine.domain.places import b2_region, r2_endpoint
from bucketvault.engine.domain.rules import Rule
from bucketvault.engine.domain.setting_rules import ping_url_rule
from bucketvault.errors import Problem
from bucketvault.vocabulary import (
    ComparisonMode,
    ProviderType,
    Schedule,
    StorageClass,
    UsageType,
    Weekday,
)

T = TypeVar("T")

# What a key of `setup.toml` may hold.
TEXT, NUMBER, YES_OR_NO, SECRET = "text", "number", "yes or no", "secret"
AMOUNT = "amount"  # a number, perhaps with a decimal point
WORDS = "words"  # a list of them
NO_RULES: Mapping[str, Rule[Any]] = MappingProxyType({})  # Any: as in `Ruled`


class Ruled(NamedTuple):
    """The rule of a field, and its names."""

    rule: Rule[Any]  # Any: each field is of its own type
    label: str  # on pages
    key: str  # in `setup.toml`
    kind: str  # what the key holds


# Any, as of `dataclasses.field`: the type is written at the field
def ruled(
    rule: Rule[Any], default: Any = None, *, label: str = "", key: str = "", kind: str = TEXT
) -> Any:
    """Declare a field with its rule; `key` is its name in `setup.toml` where that is another."""
    carried = {"ruled": Ruled(rule, label, key, kind)}
    return field(default=default, repr=kind != SECRET, metadata=carried)


def ruled_fields(of: type) -> dict[str, Ruled]:
    """Return what each field of a dataclass carries, by the field's name."""
    found: dict[str, Ruled] = {}
    for each in fields(of):
        carried = each.metadata.get("ruled")
        if carried is not None:
            found[each.name] = carried._replace(key=carried.key or each.name)
    return found


def type_words(value: object) -> str:
    """Return what a value of `setup.toml` is, in words."""
    words: tuple[tuple[Any, str], ...] = (  # Any: a type, or a union of some
        (bool, "true or false"),
        (str, "text"),
        (int | float, "a number"),
        (dt.date | dt.time, "a date or time"),
        (list, "a list"),
    )
    return next((word for kind, word in words if isinstance(value, kind)), "a table")


class Sheet:
    """Collects what is wrong, field by field, so that a form can show all of it at once."""

    def __init__(self, problems: Iterable[Problem] = ()) -> None:
        self.problems = list(problems)

    def take(self, name: str, rule: Rule[T], value: object, otherwise: T) -> T:
        """Return what `rule` makes of `value`; `otherwise`, with a note of why, if it refuses."""
        try:
            return rule(value)
        except rules.InvalidValue as refusal:
            self.refuse(name, str(refusal))
            return otherwise

    def refuse(self, name: str, message: str) -> None:
        """Note that the field `name` cannot stay as it is."""
        self.problems.append(Problem(name, message))

    def is_good(self, *names: str) -> bool:
        """True if nothing was noted about these fields."""
        return not any(problem.field in names for problem in self.problems)


@dataclass(frozen=True, slots=True)
class ProviderFields:
    """A Provider. Keys that are None stay as they are when a Provider is changed."""

    name: str = ruled(rules.name_rule, "")
    provider_type: ProviderType = ruled(rules.word(ProviderType), "")
    endpoint: str = ruled(rules.endpoint_rule, "")
    account_id: str = ruled(rules.account_id_rule, "")  # R2's; kept as its endpoint
    region: str = ruled(rules.region_rule, "")
    access_key_id: str | None = ruled(rules.access_key_rule, kind=SECRET)
    secret_access_key: str | None = ruled(rules.secret_key_rule, kind=SECRET)

    @property
    def address(self) -> pasted.Address:
        """The address as it is meant. Raises InvalidValue where nothing can be made of it."""
        kind = rules.word(ProviderType)(self.provider_type)
        region = rules.region_rule(self.region)
        return pasted.address(kind, rules.text_of(self.endpoint), region)

    def meant(self, sheet: Sheet) -> "ProviderFields":
        """Return the same with an address that is put right; note why it cannot be."""
        try:
            address = self.address
        except pasted.WrongEndpoint as refusal:
            sheet.refuse("endpoint", str(refusal))
            return replace(self, endpoint="")
        except rules.InvalidValue:  # another field's, which tells of it itself
            return self
        return replace(self, endpoint=address.endpoint, region=address.region)

    def together(self, sheet: Sheet) -> "ProviderFields":
        """Return the address as it is stored; note what each service needs."""
        if not sheet.is_good("provider_type", "endpoint", "region", "account_id"):
            return self
        endpoint, region, account = self.endpoint, self.region, self.account_id
        if self.provider_type is ProviderType.CLOUDFLARE_R2:
            endpoint, region = _address_of_r2(sheet, endpoint, region, account), "auto"
        elif account:
            sheet.refuse("account_id", "Only Cloudflare R2 has an account ID: leave it empty.")
        if self.provider_type is ProviderType.BACKBLAZE_B2:
            _check_address_of_b2(sheet, endpoint, region)
        elif not endpoint and not region:
            sheet.refuse("region", "Amazon S3 needs a region, such as eu-central-1.")
        return replace(self, endpoint=endpoint, region=region)


@dataclass(frozen=True, slots=True)
class StorageFields:
    """A Storage; `usage_type` None: it may be either end."""

    provider_id: int = ruled(rules.reference("Choose the provider of this bucket."), key="provider")
    bucket_name: str = ruled(rules.typed_bucket_rule, "")
    display_name: str = ruled(rules.shown_name_rule, "")
    usage_type: UsageType | None = ruled(rules.optional_word(UsageType))

    def meant(self, sheet: Sheet) -> "StorageFields":
        """Return itself: nothing is pasted here."""
        return self

    def together(self, sheet: Sheet) -> "StorageFields":
        """Return itself: no field depends on another."""
        return self


@dataclass(frozen=True, slots=True)
class BackupFields:
    """A Backup; paths are empty for the whole bucket, `weekday` is for weekly ones."""

    name: str = ruled(rules.name_rule, "", label="Name")
    source_storage_id: int = ruled(
        rules.reference("Choose the bucket to copy from."), label="Copy from", key="source.bucket"
    )
    source_path: str = ruled(rules.path_rule, "", label="Only this folder", key="source.path")
    destination_storage_id: int = ruled(
        rules.reference("Choose the bucket to copy to."), label="Copy to", key="destination.bucket"
    )
    destination_path: str = ruled(
        rules.path_rule, "", label="Into this folder", key="destination.path"
    )
    schedule: Schedule = ruled(rules.word(Schedule), "", label="How often")
    at: str = ruled(rules.clock_rule, "", label="At")
    weekday: Weekday | None = ruled(rules.optional_word(Weekday), label="On")
    time_zone: str = ruled(rules.time_zone_rule, "", label="Time zone")
    enabled: bool = ruled(rules.yes_or_no_rule, True, label="Run on schedule", kind=YES_OR_NO)
    retention_days: int = ruled(
        rules.whole_number(1, rules.LONGEST_RETENTION_DAYS, "days"),
        30,
        label="Keep old versions for (days)",
        kind=NUMBER,
    )
    comparison_mode: ComparisonMode = ruled(
        rules.word(ComparisonMode), ComparisonMode.CHECKSUM, label="How to detect changes"
    )
    shrink_limit_percent: int = ruled(
        rules.whole_number(0, 100, "percent"),
        50,
        label="Ask for approval above (%)",
        kind=NUMBER,
    )
    storage_class: StorageClass = ruled(
        rules.word(StorageClass), StorageClass.STANDARD, label="Storage class of the copy"
    )
    verify_gb_per_night: int = ruled(
        rules.whole_number(0, rules.MOST_GB_A_NIGHT, "GB"),
        0,
        label="Read and compare each night (GB)",
        kind=NUMBER,
    )
    ping_url: str = ruled(ping_url_rule, "", label="Heartbeat URL (optional)", kind=SECRET)

    def meant(self, sheet: Sheet) -> "BackupFields":
        """Return itself: its paths are put right by their rule."""
        return self

    def together(self, sheet: Sheet) -> "BackupFields":
        """Return itself; note where schedule and weekday do not fit."""
        if sheet.is_good("schedule", "weekday"):
            if self.schedule is Schedule.WEEKLY and self.weekday is None:
                sheet.refuse("weekday", "A weekly backup needs a weekday, such as sunday.")
            if self.schedule is Schedule.DAILY and self.weekday is not None:
                message = "A daily backup has no weekday: leave it out, or choose weekly."
                sheet.refuse("weekday", message)
        return self


Fields = TypeVar("Fields", ProviderFields, StorageFields, BackupFields)

KEYS = ("access_key_id", "secret_access_key")
KEYS_MAY_STAY: Mapping[str, Rule[Any]] = {  # of a Provider that has them
    "access_key_id": lambda value: None if value is None else rules.access_key_rule(value),
    "secret_access_key": lambda value: None if value is None else rules.secret_key_rule(value),
}
LISTED: Mapping[str, Rule[Any]] = {  # of a bucket whose name its provider told
    "bucket_name": rules.listed_bucket_rule
}


def checked(
    entered: Fields, instead: Mapping[str, Rule[Any]] = NO_RULES
) -> tuple[Fields, list[Problem]]:
    """Return the fields as they are stored, None where one is refused, and every problem.

    What was entered may be of any type. `instead` has rules for fields that are looser here.
    """
    sheet = Sheet()
    meant = entered.meant(sheet)
    values = {
        name: sheet.take(name, instead.get(name, each.rule), getattr(meant, name), None)
        for name, each in ruled_fields(type(entered)).items()
    }
    return type(entered)(**values).together(sheet), sheet.problems


def _address_of_r2(sheet: Sheet, endpoint: str, region: str, account: str) -> str:
    if region not in ("", "auto"):
        sheet.refuse("region", "Cloudflare R2 has no regions: leave it empty.")
    if not endpoint and not account:
        sheet.refuse("account_id", "Cloudflare R2 needs your account ID or the endpoint.")
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
