"""The providers' part of the tree, which changes under way: who belongs to it, on which terms."""
