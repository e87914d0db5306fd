"""What people see in the browser. Draws plain values that the engine hands over; knows no table."""
