"""What was measured: each room a question, run as a module from the root of the repository.

``python -m benchmarks.paper`` runs the paper's experiments and what goes beyond it, ``speed``,
``everybody`` and ``reliability`` measure what their names say, ``main_path`` all of it in little.
What they find is kept in ``results``; ``pages`` writes it into the manual.
"""
