"""Alerts to other targets than email: where they go, and the way there."""
