"""What operators, scripts and pages ask about runs: lists over all owners, the queue, timelines.

Nothing here reads a prompt, an answer, a title or the text of an error.
"""
