"""Help for tests: real servers, and proxies that misbehave on demand."""
