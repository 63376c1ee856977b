"""Where requests, results and the journal are stored. The pipeline depends on the ports here only;
`postgres` implements them."""
