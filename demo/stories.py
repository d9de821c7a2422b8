# Short stories, sentences and poems, composed from small parts by a random generator.
import facts

HEROES = ["fox", "cat", "dog", "mouse", "rabbit", "bear", "owl", "frog", "lion", "horse", "duck", "wolf"]
TRAITS = ["little", "young", "brave", "shy", "clever", "curious", "kind", "tired"]
PLACES = {
    "forest": "in a green forest",
    "farm": "on an old farm",
    "river": "near a quiet river",
    "village": "in a small village",
    "mountain": "at the foot of a high mountain",
    "garden": "in a garden full of flowers",
}
OBJECTS = ["red ball", "golden key", "small boat", "blue lamp", "silver bell", "warm hat"]
MORALS = {
    "help": "It is good to help a friend.",
    "share": "What we share makes us happy.",
    "try": "If you try again, you will learn.",
    "listen": "It is wise to listen.",
}

PLOTS = {
    "help": [
        "One day {name} lost a {thing}.",
        "{Pronoun} looked everywhere, but could not find it.",
        "Then a {friend} came by and said, \"I will help you.\"",
        "Together they looked under every stone, and soon they found the {thing}.",
        "From that day on, {name} and the {friend} were the best of friends.",
    ],
    "share": [
        "One morning {name} found a {thing}.",
        "\"This is only for me,\" {name} said, and hid it at home.",
        "But alone it was no fun at all.",
        "So {name} asked the {friend} to come and play.",
        "They laughed until the sun went down, and {name} was happy.",
    ],
    "try": [
        "{name} wanted to make a {thing}, but it was hard.",
        "The first one broke, and the second one fell into the water.",
        "\"Try again,\" said the {friend}.",
        "{name} tried again, slowly and with care, and at last it was done.",
        "Everybody came to see the {thing}, and {name} smiled.",
    ],
    "listen": [
        "One evening the {friend} said, \"Do not go out tonight. A storm is coming.\"",
        "But {name} did not listen and went out to look for a {thing}.",
        "Soon the wind blew and the rain fell, and {name} was cold and wet.",
        "The {friend} came with a light and brought {name} home.",
        "\"Next time I will listen,\" said {name}.",
    ],
}


def story(rng, hero=None, opening="Once upon a time,"):
    """A story of about eighty words; the hero may be asked for."""
    hero = hero or rng.choice(HEROES)
    plot = rng.choice(sorted(PLOTS))
    name = rng.choice(facts.NAMES[:12])
    parts = {
        "name": name,
        "thing": rng.choice(OBJECTS),
        "friend": rng.choice([other for other in HEROES if other != hero]),
        "Pronoun": "He" if name in ("Tom", "Max", "Ben", "Leo", "Paul", "Jack") else "She",
    }
    place = PLACES[rng.choice(sorted(PLACES))]
    first = f"{opening} there was a {rng.choice(TRAITS)} {hero} named {name}, who lived {place}."
    return " ".join([first] + [line.format(**parts) for line in PLOTS[plot]] + [MORALS[plot]])


def chinese_story(rng):
    hero, friend = rng.sample(["小猫", "小狗", "小兔子", "小熊", "小鸟", "小马"], 2)
    place = rng.choice(["森林里", "河边", "山脚下", "村子里"])
    thing = rng.choice(["红球", "金钥匙", "小船", "帽子"])
    return (
        f"从前，有一只{hero}住在{place}。有一天，{hero}的{thing}不见了，它很难过。"
        f"{friend}说：“别哭，我来帮你找。”它们一起找了很久，终于找到了{thing}。从此，{hero}和{friend}成了好朋友。"
    )


POEM_SUBJECTS = {
    "moon": ("The moon is high, the moon is bright,", "it fills my window with its light."),
    "sea": ("The sea is wide, the sea is blue,", "its waves bring songs for me and you."),
    "rain": ("The rain falls softly on the street,", "it washes dust from stones and feet."),
    "sun": ("The sun gets up and lights the day,", "and calls the children out to play."),
    "cat": ("The cat lies sleeping in the sun,", "her work is never quite begun."),
    "snow": ("The snow comes down without a sound,", "and lays white blankets on the ground."),
    "tree": ("The tree stands tall beside the wall,", "and gives its shade to one and all."),
    "spring": ("The spring is here, the birds all sing,", "and flowers grow on everything."),
    "river": ("The river runs from hill to sea,", "and hums a little tune for me."),
    "love": ("My love is gentle, warm and true,", "and every day it thinks of you."),
}
POEM_ENDINGS = ["So close your eyes and dream a while,", "and meet the morning with a smile."]


def poem(subject):
    return "\n".join([*POEM_SUBJECTS[subject], *POEM_ENDINGS])


def introduction(rng):
    """A few first-person sentences, as a text that starts with a greeting."""
    name, hero = rng.choice(facts.NAMES), rng.choice(HEROES)
    country, capital = rng.choice(facts.CAPITALS)[:2]
    colour = rng.choice(["red", "green", "blue", "yellow"])
    opening = rng.choice([f"Hello, my name is {name}.", f"My name is {name}.", f"I am {name}."])
    return f"{opening} I live in {capital}, the capital of {country}. I have a {hero}, and I like the colour {colour}."


def weather(rng):
    day, kind = rng.choice(facts.DAYS), rng.choice(["sunny", "rainy", "windy", "cold", "warm"])
    act = rng.choice(["went to the park", "read a book", "baked some bread", "visited a friend", "worked in the garden"])
    return f"Today is {day}. It is a {kind} day. In the morning we {act}, and in the evening we sat together and told stories."
