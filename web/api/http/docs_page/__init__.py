"""The page at `/docs`: the OpenAPI document as plain HTML with one style sheet, and no script.

Start with `page.py`. It knows the document, and nothing of routes or handlers.
"""
