"""`nexus demo`: the whole service at work on a few examples, explained, and gone when it is over.

`command` tells the story, `examples` is what is sent, `stage` is the service as a child process,
`evidence` what the database knows afterwards, `promises` what must be true of it, `view` how all
that looks in a terminal.
"""
