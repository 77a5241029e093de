"""What is in messages: content blocks, history for gateways, token counts, compression plans.

Pure, except that `tokens.py` reads its vocabulary file. Start with `history.py`; then
`compression_plan.py`.
"""
