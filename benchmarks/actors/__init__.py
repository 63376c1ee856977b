"""Our actors beside raw trio, pykka, xoscar, thespian, otpylib, triotp and Erlang.

    python -m benchmarks.actors [--quick] [--only NAME]... [--json FILE]

A contender is a file of this folder: a function for each of `figures.MEASURES` that it has. It runs
in a process of its own (`worker`), and of all those processes only one works at a time.
"""
