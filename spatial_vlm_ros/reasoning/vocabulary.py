"""The words the geometric reasoner knows. Any label of the scene is a noun besides these.

This file is the documented list: docs/questions.md is checked against it.
"""

from __future__ import annotations

#: Words for the same thing. Used for a noun that no label of the scene bears.
SYNONYMS: tuple[tuple[str, ...], ...] = (
    ("sofa", "couch", "settee", "loveseat"),
    ("tv", "television", "telly", "tv set", "television set"),
    (
        *("bin", "trash can", "trash bin", "garbage can", "garbage bin", "rubbish bin"),
        *("waste bin", "wastebasket", "waste basket", "dustbin", "trashcan"),
    ),
    ("fridge", "refrigerator"),
    ("mug", "cup", "coffee mug", "coffee cup", "teacup"),
    ("bookshelf", "bookcase", "book shelf"),
    ("shelf", "shelves", "shelving", "rack"),
    ("cabinet", "cupboard", "sideboard"),
    ("wardrobe", "closet", "armoire"),
    ("nightstand", "night stand", "bedside table", "night table"),
    ("dresser", "chest of drawers"),
    ("lamp", "light", "floor lamp", "desk lamp", "table lamp"),
    ("plant", "potted plant", "houseplant", "house plant", "pot plant"),
    ("monitor", "screen", "display", "computer monitor", "computer screen"),
    ("laptop", "notebook computer", "laptop computer", "notebook"),
    ("computer", "pc", "computer tower"),
    ("phone", "cell phone", "mobile phone", "cellphone", "smartphone", "telephone"),
    ("picture", "painting", "poster", "picture frame", "photo"),
    ("pillow", "cushion"),
    ("box", "carton", "cardboard box"),
    ("rug", "carpet", "mat"),
    ("desk", "work desk", "writing desk", "office desk"),
    ("table", "dining table", "coffee table", "side table"),
    ("chair", "office chair", "dining chair", "desk chair"),
    ("stove", "cooker", "hob"),
    ("oven", "stove oven"),
    ("washer", "washing machine"),
    ("dryer", "tumble dryer"),
    ("sink", "washbasin", "basin"),
    ("bathtub", "bath", "tub", "bath tub"),
    ("toilet", "loo"),
    ("bag", "handbag", "backpack", "rucksack"),
    ("stairs", "staircase", "steps"),
    ("bottle", "flask"),
    ("person", "human", "man", "woman"),
    ("curtain", "drape"),
    ("remote", "remote control"),
    ("keyboard", "computer keyboard"),
    ("mouse", "computer mouse"),
)

#: Nouns understood even where the scene has none: "is there a piano?" is then answered "no".
CATEGORIES = frozenset(
    word.strip()
    for word in """
    air conditioner, apple, armchair, backpack, ball, banana, basket, bed, bench, bicycle, blanket,
    blinds, board, book, bowl, broom, bucket, can, candle, cat, ceiling light, clock, clothes,
    counter, crib, dishwasher, dog, door, drawer, fan, fireplace, fork, glass, guitar, hat, heater,
    jacket, jar, kettle, kitchen counter, knife, ladder, microwave, mirror, mop, ottoman, pan,
    paper, pen, pencil, piano, plate, pot, power outlet, printer, projector, radiator, sculpture,
    scissors, shoe, shower, speaker, spoon, stand, stool, suitcase, switch, teddy bear, toaster,
    towel, toy, tray, umbrella, vacuum cleaner, vase, water bottle, whiteboard, window, workbench
    """.split(",")
) | frozenset(word for group in SYNONYMS for word in group)

#: Known though it is no object: things are on it.
FLOOR = frozenset(("floor", "ground"))

#: Nouns that mean anything at all.
GENERIC = frozenset("object thing item anything something everything stuff".split())

#: Words for the observer: questions are asked from the robot's own place.
ROBOT = (
    *("me", "i", "you", "us", "myself", "yourself", "robot", "the robot", "the camera"),
    *("my position", "your position", "here", "where i am", "where you are"),
)

#: Colour words to the basic name the memory uses. A colour of the scene not listed is known too.
COLOURS: dict[str, str] = {
    **{c: c for c in "red orange yellow green blue purple pink brown black white grey".split()},
    "gray": "grey",
    "silver": "grey",
    "violet": "purple",
    "magenta": "pink",
    "crimson": "red",
    "scarlet": "red",
    "navy": "blue",
    "turquoise": "blue",
    "lime": "green",
    "beige": "brown",
    "golden": "yellow",
}

#: Size words: (what is compared, +1 for most or -1 for least). In the superlative one is chosen.
SUPERLATIVES: dict[str, tuple[str, int]] = {
    **dict.fromkeys(("biggest", "largest", "bigger", "larger"), ("volume", 1)),
    **dict.fromkeys(("smallest", "littlest", "tiniest", "smaller"), ("volume", -1)),
    **dict.fromkeys(("tallest", "taller"), ("height", 1)),
    **dict.fromkeys(("shortest", "shorter"), ("height", -1)),
    **dict.fromkeys(("longest", "longer"), ("length", 1)),
    **dict.fromkeys(("widest", "wider"), ("width", 1)),
    **dict.fromkeys(("narrowest", "narrower"), ("width", -1)),
    **dict.fromkeys(("highest", "higher", "topmost"), ("height above the floor", 1)),
    **dict.fromkeys(("lowest", "lower"), ("height above the floor", -1)),
    **dict.fromkeys(("leftmost",), ("bearing", 1)),
    **dict.fromkeys(("rightmost",), ("bearing", -1)),
    **dict.fromkeys(("nearest", "closest", "nearer", "closer"), ("distance", -1)),
    **dict.fromkeys(("farthest", "furthest", "farther", "further", "distant"), ("distance", 1)),
}
#: In the positive, one half of the range within the category is chosen.
SIZES: dict[str, tuple[str, int]] = {
    **dict.fromkeys(("big", "large", "huge"), ("volume", 1)),
    **dict.fromkeys(("small", "little", "tiny"), ("volume", -1)),
    **dict.fromkeys(("tall", "high"), ("height", 1)),
    **dict.fromkeys(("short", "low"), ("height", -1)),
    **dict.fromkeys(("long",), ("length", 1)),
    **dict.fromkeys(("wide",), ("width", 1)),
    **dict.fromkeys(("narrow",), ("width", -1)),
}
#: "How ... is it" and "what is the ... of it", to the side measured.
MEASURES: dict[str, str] = {
    **dict.fromkeys(("long", "length"), "length"),
    **dict.fromkeys(("wide", "width", "deep", "depth", "breadth"), "width"),
    **dict.fromkeys(("tall", "high", "height"), "height"),
    **dict.fromkeys(("big", "large", "size", "longest side", "longest dimension"), "longest side"),
    **dict.fromkeys(("volume",), "volume"),
}

NUMBERS: dict[str, int] = {
    word: n
    for n, word in enumerate("zero one two three four five six seven eight nine ten".split())
}
ORDINALS: dict[str, int] = {
    **{
        word: n + 1
        for n, word in enumerate(
            "first second third fourth fifth sixth seventh eighth ninth tenth".split()
        )
    },
    "last": -1,
    "1st": 1,
    "2nd": 2,
    "3rd": 3,
    "4th": 4,
    "5th": 5,
}

#: Phrases of place to the relation they mean.
RELATIONS: dict[str, tuple[str, ...]] = {
    "on": ("on", "on top of", "atop", "upon", "on the top of"),
    "under": ("under", "underneath", "beneath", "below"),
    "above": ("above", "over"),
    "inside": ("in", "inside", "inside of", "within"),
    "beside": ("beside", "next to", "by", "adjacent to", "alongside", "at the side of"),
    "near": ("near", "near to", "close to"),
    "with": ("with", "holding", "carrying", "containing"),
    "between": ("between", "in between", "in the middle of"),
    **{
        side: tuple(
            f"{way}{side}{part} of"
            for way in ("", "to the ", "on the ", "at the ")
            for part in ("", " side", " hand side")
        )
        for side in ("left", "right")
    },
    "front": ("in front of",),
    "behind": ("behind", "in back of", "at the back of"),
}
#: Phrases that place something by the robot alone.
ROBOT_RELATIONS: dict[str, tuple[str, ...]] = {
    side: tuple(
        f"{preposition} {whose} {side}{hand}"
        for preposition in ("to", "on", "at")
        for whose in ("my", "your", "the")
        for hand in ("", " side", " hand side")
    )
    for side in ("left", "right")
} | {"front": ("ahead", "ahead of me", "ahead of you", "straight ahead")}

#: Said before the greatest number that will do.
AT_MOST: tuple[str, ...] = ("at most", "no more than", "within")
#: Said before a length that is near enough: "within 2 m of".
WITHIN: tuple[str, ...] = (*AT_MOST, "less than", "not more than")

#: Said between a noun and what places it; without meaning of their own.
POSTURE: tuple[str, ...] = (
    *("that is", "that are", "which is", "which are"),
    *"standing sitting lying resting placed located hanging mounted situated sat kept".split(),
)

#: Any one of what follows will do.
INDEFINITE: tuple[str, ...] = ("a", "an", "any", "some", "one of the", "any of the", "some of the")
#: All of what follows are meant, though it may be in the singular.
UNIVERSAL: tuple[str, ...] = ("all", "every", "each", "all of the", "all the", "each of the")
DETERMINERS: tuple[str, ...] = (
    *"the this that these those your my both".split(),
    *("both of the", "both the"),
    *INDEFINITE,
    *UNIVERSAL,
)
#: Never part of a noun that is not known.
FUNCTION_WORDS = frozenset(
    """a an the this that these those is are am be was were do does did can could would will shall
    has have had to of from for at as and or not no than then if i it its he she they we my your
    me you us i s what which where when how who why many much far any all every each some other both
    there here first last one closer nearer further farther more less least most standing facing
    go drive move find bring take face turn same different , with away apart between""".split()
) | frozenset(way.split(" ")[0] for ways in RELATIONS.values() for way in ways)
