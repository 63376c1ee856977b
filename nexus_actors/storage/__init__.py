"""Where requests, results and the journal are stored.
The pipeline sees the ports `requests`, `results`, `accounts`, `notices`, `quirks`, `retention`;
`postgres` implements them."""
