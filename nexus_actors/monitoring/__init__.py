"""What operators look at, and may do about it: queries of the whole installation, and actions with
their SQL and CLI forms. The dashboard and the observer show it; neither asks the database itself.
"""
