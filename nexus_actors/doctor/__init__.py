"""What can be wrong with an installation, looked for: `nexus doctor`.

A check looks at one thing and says what it found (`finding.py`); it changes nothing, and costs
nothing. `examine` runs them beside each other, each with a time limit, so that none holds up
another. They need no service that runs, and no database that can be reached: what cannot be looked
at for want of one is said to be not checked.
"""
