"""The fire drill: real services, a real database, a faulty provider, and a verdict."""
