"""Looking at what training needs of a machine and its Python: a file a subject, a function a check.

What a check needs is imported when it looks: a package that is missing is what it has to report.
"""
