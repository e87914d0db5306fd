"""Pages for the browser. They draw plain values that the engine hands over; they know no table."""
