"""All knowledge of rclone: where it is, how it is called, what it says; no database."""
