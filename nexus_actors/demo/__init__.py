"""`nexus demo`: the whole service at work on a few examples, with explanations.

`command` is the sequence of chapters, `examples` what is sent, `stage` the service as a child
process, `evidence` what the database holds afterwards, `promises` the checks, `view` the output on
a terminal.
"""
