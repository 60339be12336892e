"""Tables, figures and the report.

The notebooks call one function for each table or figure; `report` puts the same tables and figures on one page.
"""
