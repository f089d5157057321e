"""Turn a file of shop orders into checked figures, plots and a report.

The story in modules: `reading` (file to rows), `validation` (rows to valid orders and findings),
`figures` (orders to numbers), `plots` and `report` (numbers to a page), `pipeline` (all of it), `cli`.
"""
