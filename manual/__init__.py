"""The manual pages and the JSON Schema, made from the tables and from docs/. Nothing of it is installed."""
