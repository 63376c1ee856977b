"""What operators hold on to: the instance's lock, its control socket, its log."""
