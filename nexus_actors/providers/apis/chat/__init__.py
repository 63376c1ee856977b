"""Chat completions, the API that most servers have."""
