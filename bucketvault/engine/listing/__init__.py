"""Look at buckets strictly, remember what was proven, say what differs. No rclone, no tables."""
