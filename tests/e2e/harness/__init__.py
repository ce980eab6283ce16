"""What the end-to-end tests stand on: the daemon as a process, clients of its ports, and waiting. See ../README.md."""
