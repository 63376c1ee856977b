"""What operators work with: the instance's lock, the control socket, logs, chores, orders."""
