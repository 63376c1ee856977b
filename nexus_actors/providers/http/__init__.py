"""What every provider behind HTTP has in common: connection, stream, deadline, masking, price."""
