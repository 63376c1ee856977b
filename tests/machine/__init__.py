"""The commands that change a machine, carried out on one of our own: `make test-machine`."""
