"""`/openapi.json`: OpenAPI 3.1 from the models that validate and a table of operations.

`operations` lists what the API offers, with the shapes of `tracker.api.answers`;
`examples` shows each; `document` puts them together. Imported when the document is first asked
for: a server's start does not wait for it.
"""
