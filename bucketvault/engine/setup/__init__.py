"""The setup file: reading and applying one, writing one, and what a file does not name."""
