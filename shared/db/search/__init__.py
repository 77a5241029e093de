"""Full-text search over titles and messages: keeping the terms, and finding by them.

The rules by which a text becomes terms are in `shared/conversation/search_terms.py`. Start with
`find.py`.
"""
