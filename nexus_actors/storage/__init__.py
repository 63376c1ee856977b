"""Where requests, results and the journal live.
The pipeline sees the ports `requests`, `results`, `accounts`, `notices`, `quirks`, `retention`;
`postgres` stands behind them.
"""
