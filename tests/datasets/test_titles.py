"""Titles of films as people say them."""

import pytest

from sktpecr.datasets._titles import spoken_title


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Matrix, The (1999)", "The Matrix (1999)"),
        ("Heat (1995)", "Heat (1995)"),
        ("Beautiful Mind, A", "A Beautiful Mind"),
        ("Avventura, L' (1960)", "L'Avventura (1960)"),
        ("Good, the Bad and the Ugly, The (1966)", "The Good, the Bad and the Ugly (1966)"),
        (
            "City of Lost Children, The (Cité des enfants perdus, La) (1995)",
            "The City of Lost Children (1995)",
        ),
        ("Men in Black (a.k.a. MIB) (1997)", "Men in Black (1997)"),
        ("Yours, Mine and Ours (1968)", "Yours, Mine and Ours (1968)"),
        ("M*A*S*H (a.k.a. MASH) (1970)", "M*A*S*H (1970)"),
        ("film 108583", "film 108583"),
        ("", ""),
    ],
)
def test_title(title, expected):
    assert spoken_title(title) == expected
    assert spoken_title(spoken_title(title)) == expected
