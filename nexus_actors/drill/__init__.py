"""The fire drill: real services, a real database, a provider that misbehaves, and a verdict."""
