"""What tests stand on: real servers, and proxies that misbehave on demand."""
