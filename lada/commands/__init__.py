"""The commands, a module each with ``build_parser()`` and ``main(args)``.

What is slow to import, torch above all, is imported by ``main``: help and mistakes answer at once.
"""
