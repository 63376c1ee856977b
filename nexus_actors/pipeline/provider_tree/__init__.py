"""The providers' part of the tree, which changes with the config, and each provider's terms."""
