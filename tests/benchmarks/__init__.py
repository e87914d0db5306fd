"""Speed and memory, measured side by side in one run. They print; nothing here passes or fails."""
