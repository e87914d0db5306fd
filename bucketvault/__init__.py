"""bucketvault: bucket-to-bucket backups with rclone, for one person on one small server."""

__version__ = "0.1.0"
