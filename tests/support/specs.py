"""Settings of runs for tests of what works with them."""

from bucketvault.engine.domain.spec import EndSpec, RunSpec
from bucketvault.vocabulary import ComparisonMode, ProviderType


def run_spec(
    source: str,
    destination: str,
    *,
    providers: tuple[str, str] = ("Source", "Destination"),
    mode: ComparisonMode = ComparisonMode.CHECKSUM,
) -> RunSpec:
    """The settings of a run between two places, each a bucket or `bucket/path`."""

    def end(provider: str, place: str) -> EndSpec:
        bucket, _, path = place.partition("/")
        return EndSpec(provider, ProviderType.AMAZON_S3, bucket, path=path)

    return RunSpec(
        source=end(providers[0], source),
        destination=end(providers[1], destination),
        comparison_mode=mode,
        retention_days=30,
        shrink_limit_percent=50,
        archive_key="photos-1",
    )
