# The program of examples/programs.yaml: {"date": "YYYY-MM-DD"} on standard input, JSON out.
date=$(sed 's/.*"date" *: *"\([0-9-]*\)".*/\1/')
date -u -d "$date" '+{"weekday": "%A", "week": %-V, "day_of_year": %-j}'
