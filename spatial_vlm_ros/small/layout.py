"""What stands in which channel of the small models' features and of the words of their language.

A language model that learns from few rooms then has not to find out first in which directions
features tell numbers, categories and colours.
"""

from spatial_vlm_ros.small.labelled_views import CATEGORIES, PAINTS

#: Channels in all; numbers of objects that are told apart.
WIDTH, NUMBERS = 192, 64
#: What heights rotate, and places are added to. Of the scene every other channel is ``LEVEL``.
PLACE = slice(0, 64)
LEVEL = 0.3
#: One channel for each category, number and colour: how much speaks for it.
CATEGORY = slice(PLACE.stop, PLACE.stop + len(CATEGORIES))
NUMBER = slice(CATEGORY.stop, CATEGORY.stop + NUMBERS)
COLOUR = slice(NUMBER.stop, NUMBER.stop + len(PAINTS))
#: In what else features differ most.
REST = slice(COLOUR.stop, WIDTH - 3)
#: 0 in the scene. Of text; of words for a number or category; of where those look who find nothing.
TEXT, WORD, NOTHING = WIDTH - 3, WIDTH - 2, WIDTH - 1
