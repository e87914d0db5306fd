"""The work of bucketvault: catalogue, runs, schedule. Knows no NiceGUI.

Each function opens its own database connection and may be called from any thread.
"""
