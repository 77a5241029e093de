"""Commands that look at the runs, queues, workers and sessions of the configured installation, and
change them. `arguments` has their options, `installation` what they work on, `output` how they show
it. They may import what `deploy.commands` may.
"""
