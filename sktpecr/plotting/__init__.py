"""The figures, also methods of what they draw; matplotlib is imported when one is drawn."""

from sktpecr.plotting._explanations import plot_contributions, plot_importances, plot_list
from sktpecr.plotting._populations import plot_control, plot_everybody, plot_related
from sktpecr.plotting._users import plot_profile, plot_refinement

__all__ = [
    "plot_contributions",
    "plot_control",
    "plot_everybody",
    "plot_importances",
    "plot_list",
    "plot_profile",
    "plot_refinement",
    "plot_related",
]
