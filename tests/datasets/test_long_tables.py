"""What TaggedInteractions.from_frames says about tables that it cannot use."""

import numpy as np
import pandas as pd
import pytest

from sktpecr.datasets import TaggedInteractions

WATCHED = [("ann", 7, 4.5), ("ann", 5, 3.0), ("bob", 7, 1.0), ("cy", 9, 2.5)]
GENRES = [(5, "Drama", 1.0), (7, "Crime", 0.5)]


def interactions_frame(rows=WATCHED, columns=("user", "item", "value")):
    return pd.DataFrame(rows, columns=list(columns))


def tags_frame(rows=GENRES, columns=("item", "tag", "weight")):
    return pd.DataFrame(rows, columns=list(columns))


NAN = float("nan")
MANY_COLUMNS = pd.DataFrame(np.ones((1, 12)), columns=list("abcdefghijkl"))
REFUSED = {
    "no frame": ({"interactions": WATCHED}, TypeError, r"interactions must be .*got list"),
    "no tags frame": ({"item_tags": {}}, TypeError, r"item_tags must be .*got dict; build one"),
    "empty": (
        {"interactions": interactions_frame([])},
        ValueError,
        r"interactions is empty; expected .* per \(user, item\) pair, got no rows",
    ),
    "no tags": (
        {"item_tags": tags_frame([])},
        ValueError,
        r"item_tags is empty; expected .* per \(item, tag\) pair, got no rows",
    ),
    "near column": (
        {"user": "usr"},
        ValueError,
        r"interactions has no column 'usr' \(parameter user\), only 'user', 'item', 'value'; "
        r"did you mean user='user'\?",
    ),
    "longer column": (
        {"interactions": interactions_frame(columns=("userId", "movieId", "rating"))},
        ValueError,
        r"no column 'user' .* did you mean user='userId'\?",
    ),
    "far column": (
        {"value": "stars"},
        ValueError,
        r"interactions has no column 'stars' .*; name the right one with value=\.\.\.",
    ),
    "many columns": (
        {"interactions": MANY_COLUMNS},
        ValueError,
        r"only 'a', .*, 'j', \.\.\.; name the right one with user=",
    ),
    "tag column": (
        {"item_tags": tags_frame(columns=("item", "genre", "w"))},
        ValueError,
        r"item_tags has no column 'tag' \(parameter tag\)",
    ),
    "item column of tags": (
        {"item_tags": tags_frame(columns=("items", "tag", "w"))},
        ValueError,
        r"item_tags has no column 'item' .* did you mean item='items'\?",
    ),
    "weight column": (
        {"weight": "weights"},
        ValueError,
        r"item_tags has no column 'weights' .* did you mean weight='weight'\?",
    ),
    "column twice": (
        {"interactions": interactions_frame(columns=("user", "item", "item"))},
        ValueError,
        r"interactions has 2 columns named 'item' \(parameter item\), expected one; rename",
    ),
    "user missing": (
        {"interactions": interactions_frame([*WATCHED, (None, 7, 1.0)])},
        ValueError,
        r"interactions\['user'\] \(parameter user\) must not have missing ids, got 1 .*first in "
        r"row 4; drop those rows with interactions\.dropna\(subset=\['user'\]\)",
    ),
    "item NaN": (
        {"interactions": interactions_frame([*WATCHED, ("ann", NAN, 1.0)])},
        ValueError,
        r"interactions\['item'\] .* must not have missing ids",
    ),
    "tag NaN": (
        {"item_tags": tags_frame([(5, NAN, 1.0), (7, "Crime", 1.0)])},
        ValueError,
        r"item_tags\['tag'\] .* must not have missing ids, got 1 .* row 0",
    ),
    "lists": (
        {"item_tags": tags_frame([(5, ["Drama"], 1.0)])},
        ValueError,
        r"item_tags\['tag'\] \(parameter tag\) must hold hashable ids.*\.map\(tuple\)",
    ),
    "value NaN": (
        {"interactions": interactions_frame([*WATCHED, ("ann", 3, NAN)]), "value": "value"},
        ValueError,
        r"interactions\['value'\] \(parameter value\) must be finite.*got 1 .*first in row 4",
    ),
    "value too large": (
        {"interactions": interactions_frame([("ann", 7, 1e300)]), "value": "value"},
        ValueError,
        r"interactions\['value'\] .* must be finite in float32, got 1 NaN or infinite",
    ),
    "value text": (
        {"value": "user"},
        ValueError,
        r"interactions\['user'\] \(parameter value\) must hold numbers, got dtype .*to_numeric",
    ),
    "values 0": (
        {"interactions": interactions_frame([("ann", 7, 0.0)]), "value": "value"},
        ValueError,
        r"interactions\['value'\] \(parameter value\) must not be 0 everywhere.*leave value out",
    ),
    "weight infinite": (
        {"item_tags": tags_frame([(7, "Crime", float("inf"))]), "weight": "weight"},
        ValueError,
        r"item_tags\['weight'\] \(parameter weight\) must be finite",
    ),
    "weight negative": (
        {"item_tags": tags_frame([(7, "Crime", 1.0), (5, "War", -2.0)]), "weight": "weight"},
        ValueError,
        r"\(parameter weight\) must be at least 0, got 1 negative weights, the first in row 1",
    ),
    "weights 0": (
        {"item_tags": tags_frame([(7, "Crime", 0.0)]), "weight": "weight"},
        ValueError,
        r"\(parameter weight\) must leave tags, got only weights of 0; leave weight out",
    ),
    "ids of two types": (
        {"item_tags": tags_frame([("7", "Crime", 1.0)])},
        ValueError,
        r"item_tags has no item id in common with interactions: expected ids such as 7 \(int\), "
        r"got '7' \(str\); bring both to one type, for example with \.map\(int\)",
    ),
    "other items": (
        {"item_tags": tags_frame([(1, "Crime", 1.0)])},
        ValueError,
        r"no item id in common .*check that both speak of the same items",
    ),
    "names of other ids": (
        {"item_names": {"7": "Fargo"}},
        ValueError,
        r"item_names has no item id in common with the tables.*\.map\(int\)",
    ),
    "names in a list": (
        {"item_names": ["Fargo"]},
        TypeError,
        r"item_names must map item ids to names, as a dict or a Series, got list; make one with",
    ),
    "name of nothing": (
        {"item_names": {7: "Fargo", NAN: "?"}},
        ValueError,
        r"item_names must not have missing ids \(None or NaN\), got one; drop it",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_message_tells_what_is_wrong_and_the_way_out(case):
    arguments, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        TaggedInteractions.from_frames(
            **{"interactions": interactions_frame(), "item_tags": tags_frame()} | arguments
        )
