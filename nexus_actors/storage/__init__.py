"""Where requests, results and the journal live.
`ports` is what the pipeline sees; `postgres` stands behind it.
"""
