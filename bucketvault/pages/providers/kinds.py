"""Words of each kind of provider: names of its fields, where its console has them, a key's rights.

Texts only: a new kind, or a console that has moved, is a change here.
"""

from typing import NamedTuple

from bucketvault.engine.probe.results import Right
from bucketvault.engine.views.catalogue import ProviderRow
from bucketvault.pages.parts import words
from bucketvault.vocabulary import ProviderType


class FieldWords(NamedTuple):
    """One field of the form, in the provider's own words."""

    name: str  # as in `ProviderFields`
    label: str
    placeholder: str = ""
    hint: str = ""


class Kind(NamedTuple):
    """One kind of provider."""

    key: str
    provider_type: ProviderType
    note: str
    name_example: str
    address: tuple[FieldWords, ...]
    key_id: FieldWords
    secret: FieldWords
    where: tuple[str, ...]  # the steps to what the form asks for
    rights: tuple[tuple[str, str], ...]  # what for, and the right's name there
    console: str  # "In Backblaze's console"

    @property
    def title(self) -> str:
        """Its name for people."""
        return words.KINDS[self.key]


R2 = Kind(
    "cloudflare_r2",
    ProviderType.CLOUDFLARE_R2,
    "An account ID and an R2 API token",
    "For example: Cloudflare main",
    (
        FieldWords(
            "account_id", "Account ID", "32 letters and digits", "Or enter the endpoint below."
        ),
        FieldWords(
            "endpoint",
            "Endpoint (optional)",
            "https://ACCOUNT.eu.r2.cloudflarestorage.com",
            "Only for a bucket in a jurisdiction such as the EU.",
        ),
    ),
    FieldWords("access_key_id", "Access Key ID"),
    FieldWords("secret_access_key", "Secret Access Key"),
    (
        "In Cloudflare's dashboard open R2 Object Storage: Account Details has the Account ID.",
        "Choose Manage API tokens, then Create Account API token.",
        "Give it the permission Object Read & Write, and choose its buckets.",
        "Copy Access Key ID and Secret Access Key from below the token. They are shown only once.",
    ),
    (
        ("Copy from a bucket", "Object Read only"),
        ("Copy to a bucket", "Object Read & Write"),
        ("List buckets", "Admin Read only; otherwise type the bucket's name"),
    ),
    "In Cloudflare's dashboard",
)
B2 = Kind(
    "backblaze_b2",
    ProviderType.BACKBLAZE_B2,
    "A region and an application key",
    "For example: Backblaze EU",
    (
        FieldWords(
            "region",
            "Region",
            "eu-central-003",
            "The middle part of the bucket's endpoint. Or enter the endpoint:",
        ),
        FieldWords("endpoint", "Endpoint (optional)", "https://s3.eu-central-003.backblazeb2.com"),
    ),
    FieldWords("access_key_id", "keyID"),
    FieldWords("secret_access_key", "applicationKey"),
    (
        "In Backblaze open Buckets: each shows its Endpoint, s3.REGION.backblazeb2.com.",
        "Open Application Keys, then Add a New Application Key. The master key does not work here.",
        "Choose Read and Write, and tick Allow List All Bucket Names.",
        "Copy keyID and applicationKey. The second is shown only once.",
        (
            "For a bucket to copy to, choose Keep only the last version of the file under "
            "Lifecycle Settings. Otherwise deleted files stay as hidden versions, which you pay "
            "for."
        ),
    ),
    (
        ("Copy from a bucket", "listFiles, readFiles"),
        ("Copy to a bucket", "also writeFiles, deleteFiles"),
        ("List buckets", "listAllBucketNames; otherwise type the bucket's name"),
    ),
    "In Backblaze's console",
)
AMAZON = Kind(
    "amazon_s3",
    ProviderType.AMAZON_S3,
    "A region and an access key",
    "For example: Amazon Frankfurt",
    (
        FieldWords(
            "region", "AWS Region", "eu-central-1", "The code shown in the bucket's properties."
        ),
    ),
    FieldWords("access_key_id", "Access key ID"),
    FieldWords("secret_access_key", "Secret access key"),
    (
        "In the S3 console open the bucket's Properties: they show its AWS Region.",
        "In IAM open Users, choose one made for this, then Security credentials.",
        "Choose Create access key and copy both. The secret is shown only once.",
    ),
    (
        ("Copy from a bucket", "s3:ListBucket, s3:GetBucketLocation, s3:GetObject"),
        ("Copy to a bucket", "also s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload"),
        ("List buckets", "s3:ListAllMyBuckets; otherwise type the bucket's name"),
    ),
    "In IAM",
)
COMPATIBLE = Kind(
    "s3_compatible",
    ProviderType.AMAZON_S3,
    "An endpoint: MinIO, Wasabi, Hetzner or your own",
    "For example: Office NAS",
    (
        FieldWords(
            "endpoint",
            "Endpoint",
            "https://s3.example.com",
            "Known services, such as Wasabi, Hetzner or Scaleway, are recognised.",
        ),
        FieldWords(
            "region", "Region (optional)", "eu-central-1", "Only if the service requires one."
        ),
    ),
    FieldWords("access_key_id", "Access key ID"),
    FieldWords("secret_access_key", "Secret access key"),
    (
        "The service's manual names its S3 endpoint: an address that begins with https://.",
        "Plain http:// works for localhost and private addresses only.",
        "Its console or command line creates an access key: an ID and a secret.",
    ),
    (
        ("Copy from a bucket", "list the bucket, read objects"),
        ("Copy to a bucket", "also write, copy and delete objects"),
        ("List buckets", "list buckets; otherwise type the bucket's name"),
    ),
    "At the service",
)
KINDS = {kind.key: kind for kind in (R2, B2, AMAZON, COMPATIBLE)}

# What a refused right would do to a run.
WITHOUT = {
    Right.LIST_OBJECTS: "No backup can use this bucket.",
    Right.READ: "Nothing can be copied from this bucket.",
    Right.WRITE: "Nothing can be copied to this bucket.",
    Right.OVERWRITE: "Runs that replace something would fail.",
    Right.SET_ASIDE: "Old versions could not be kept: runs that replace something would fail.",
    Right.DELETE: "Runs that replace or remove something would fail.",
}


def kind_of(provider_type: ProviderType, compatible: bool) -> Kind:
    """Return the kind of a stored provider."""
    if provider_type is ProviderType.AMAZON_S3:
        return COMPATIBLE if compatible else AMAZON
    return R2 if provider_type is ProviderType.CLOUDFLARE_R2 else B2


def kind_of_row(row: ProviderRow) -> Kind:
    """Return the kind of a row."""
    return kind_of(row.provider_type, row.compatible)
