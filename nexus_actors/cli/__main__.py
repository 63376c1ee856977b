"""`python -m nexus_actors.cli` is `nexus`."""

import sys

from nexus_actors.cli import main

sys.exit(main())
