"""What is said of a model that nothing can be made of."""


class AdapterError(TypeError):
    """No adapter knows this model; the message says what it lacks and what to do.

    Examples
    --------
    >>> from sktpecr.recommenders import as_recommender
    >>> as_recommender("a model")
    Traceback (most recent call last):
    ...
    sktpecr.recommenders._adapter_error.AdapterError: str has neither ...
    """
