"""One file a command: ``build_parser()`` and ``main(args)``; nothing heavy is imported before
``main`` runs.
"""
