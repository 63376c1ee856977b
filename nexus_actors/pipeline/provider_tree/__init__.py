"""The providers' part of the tree, which changes with the config, and the terms of each
provider."""
