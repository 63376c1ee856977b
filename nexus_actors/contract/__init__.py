"""What other programs send and expect: requests, results, their errors, and both as JSON.

Everything here is pure: text in, frozen values out, no clock that cannot be handed in, no I/O.
"""
