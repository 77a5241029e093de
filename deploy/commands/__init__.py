"""One module for each command of `holdfast`.

May import everything below: `deploy.local`, `deploy.supervisor`, `shared`, and readers of `worker`.
Start with `up.py`.
"""
