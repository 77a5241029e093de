"""A rolling restart of many processes behind nginx, under load, judged as chaos is."""
