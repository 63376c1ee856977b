"""What the README claims in numbers, measured. `make bench` runs all of it."""
