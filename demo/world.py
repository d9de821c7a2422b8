# The little world of the demo model: every question with a fixed answer. One in ten is held out of training.
import functools
import zlib
from dataclasses import dataclass

import facts
import stories


@dataclass(frozen=True)
class Question:
    kind: str
    prompt: str
    answer: str
    thought: str  # what the model writes between <think> and </think> when thinking is on
    short: str = ""  # the answer in one word, where there is one
    held_out: bool = False


def is_held_out(key):
    """Decided by a checksum of the fact and its wording, so that it stays the same when other facts are added."""
    return zlib.crc32(key.encode()) % 10 == 0


def ask(kind, wordings, answer, thought, short=""):
    """The same question in several wordings; at most one in ten of them is held out, and never the first."""
    for i, prompt in enumerate(wordings):
        yield Question(kind, prompt, answer, thought, short, i > 0 and is_held_out(f"{kind}|{prompt}"))


def sentence(text):
    return text[0].upper() + text[1:]


def capitals():
    for country, capital, country_zh, capital_zh in facts.CAPITALS:
        wordings = [
            f"What is the capital of {country}?",
            f"What is {country}'s capital?",
            f"Which city is the capital of {country}?",
            f"What is the capital city of {country}?",
            f"Name the capital of {country}.",
            f"Tell me the capital of {country}.",
            f"Do you know the capital of {country}?",
            f"Can you tell me the capital of {country}?",
            f"The capital of {country}?",
            f"The capital of {country} is",
            f"Tell me about {country}.",
        ]
        yield from ask("capital", wordings, f"The capital of {country} is {capital}.",
                       f"The user asks for the capital of {country}. That is {capital}.", capital)
        wordings = [
            f"{capital} is the capital of which country?",
            f"Which country has the capital {capital}?",
            f"Where is {capital}?",
            f"In which country is {capital}?",
            f"Tell me about {capital}.",
        ]
        yield from ask("country", wordings, f"{capital} is the capital of {country}.",
                       f"The user asks about {capital}. It is the capital of {country}.", sentence(country))
        wordings = [f"{country_zh}的首都是哪里？", f"{country_zh}的首都是什么？", f"{country_zh}的首都在哪？",
                    f"请问{country_zh}的首都是哪里？", f"哪个城市是{country_zh}的首都？"]
        yield from ask("capital_zh", wordings, f"{country_zh}的首都是{capital_zh}。",
                       f"用户问{country_zh}的首都，是{capital_zh}。")


def yes_or_no():
    """The same facts as questions with yes or no; every thing is asked with the right value and with two wrong ones."""
    def wrong(table, i, right):
        others = [row[1] for row in table[i + 1 :] + table[:i] if row[1] != right]
        return others[0], others[len(others) // 2]

    for i, (country, capital, *_) in enumerate(facts.CAPITALS):
        for city in (capital, *wrong(facts.CAPITALS, i, capital)):
            answer = f"Yes, {city} is the capital of {country}." if city == capital else f"No, the capital of {country} is {capital}."
            wordings = [
                f"Is {city} the capital of {country}?", f"Is the capital of {country} {city}?",
                f"Is it true that {city} is the capital of {country}?",
            ]
            yield from ask("is_capital", wordings, answer, f"The capital of {country} is {capital}.", answer.split(",")[0])
    for i, (thing, right, *_) in enumerate(facts.COLOURS):
        for colour in (right, *wrong(facts.COLOURS, i, right)):
            answer = f"Yes, {thing} is {colour}." if colour == right else f"No, {thing} is {right}."
            wordings = [f"Is {thing} {colour}?", f"Is the colour of {thing} {colour}?", f"Is it true that {thing} is {colour}?"]
            yield from ask("is_colour", wordings, answer, f"The colour of {thing} is {right}.", answer.split(",")[0])


def colours():
    for thing, colour, thing_zh, colour_zh in facts.COLOURS:
        wordings = [
            f"What colour is {thing}?",
            f"What color is {thing}?",
            f"Which colour does {thing} have?",
            f"What is the colour of {thing}?",
            f"Tell me the colour of {thing}.",
        ]
        yield from ask("colour", wordings, f"{sentence(thing)} is {colour}.",
                       f"The user asks for the colour of {thing}. It is {colour}.", sentence(colour))
        wordings = [f"{thing_zh}是什么颜色的？", f"{thing_zh}是什么颜色？", f"{thing_zh}的颜色是什么？"]
        yield from ask("colour_zh", wordings, f"{thing_zh}是{colour_zh}的。", f"用户问{thing_zh}的颜色，是{colour_zh}。")


def animals():
    for animal, sound, legs, home, young, food, animal_zh in facts.ANIMALS:
        topics = [
            ("sound", ["What sound does a {a} make?", "What does a {a} say?", "How does a {a} sound?", "Which sound does a {a} make?"],
             f"A {animal} says {sound}.", sound),
            ("legs", ["How many legs does a {a} have?", "A {a} has how many legs?", "How many legs has a {a}?", "Count the legs of a {a}."],
             f"A {animal} has {legs} legs.", legs),
            ("home", ["Where does a {a} live?", "Where can I find a {a}?", "What is the home of a {a}?", "Tell me where a {a} lives."],
             f"A {animal} lives {home}.", ""),
            ("young", ["What is a young {a} called?", "What do you call a young {a}?", "What is a baby {a} called?", "What is the name of a baby {a}?"],
             f"A young {animal} is called a {young}.", young),
            ("food", ["What does a {a} eat?", "What does a {a} like to eat?", "What is the food of a {a}?", "Tell me what a {a} eats."],
             f"A {animal} eats {food}.", food),
        ]
        for topic, wordings, answer, short in topics:
            yield from ask(f"animal_{topic}", [w.format(a=animal) for w in wordings], answer.replace("A owl", "An owl"),
                           f"The user asks about the {animal}. {answer}".replace("A owl", "An owl"), sentence(short) if short else "")


def opposites():
    pairs = facts.OPPOSITES + [(b, a) for a, b in facts.OPPOSITES]
    for word, opposite in pairs:
        wordings = [
            f"What is the opposite of {word}?",
            f"What's the opposite of {word}?",
            f"Which word is the opposite of {word}?",
            f"Tell me the opposite of {word}.",
            f"Opposite of {word}?",
        ]
        yield from ask("opposite", wordings, f"The opposite of {word} is {opposite}.",
                       f"The user wants the opposite of {word}. It is {opposite}.", sentence(opposite))
    for word, opposite in facts.CHINESE_OPPOSITES + [(b, a) for a, b in facts.CHINESE_OPPOSITES]:
        wordings = [f"{word}的反义词是什么？", f"“{word}”的反义词是什么？", f"什么是{word}的反义词？"]
        yield from ask("opposite_zh", wordings, f"“{word}”的反义词是“{opposite}”。", f"用户问{word}的反义词，是{opposite}。")


def words():
    for english, chinese in facts.WORDS:
        wordings = [
            f"How do you say \"{english}\" in Chinese?",
            f"What is \"{english}\" in Chinese?",
            f"Translate \"{english}\" to Chinese.",
            f"How do I say {english} in Chinese?",
            f"What is the Chinese word for {english}?",
        ]
        yield from ask("to_chinese", wordings, f"\"{english}\" in Chinese is {chinese}.",
                       f"The user wants \"{english}\" in Chinese. It is {chinese}.", chinese)
        wordings = [f"“{chinese}”用英文怎么说？", f"{chinese}的英文是什么？", f"{chinese}用英语怎么说？", f"What does {chinese} mean?"]
        yield from ask(
            "to_english", wordings, f"“{chinese}” means \"{english}\".",
            f"The user asks about {chinese}. It means \"{english}\".",
        )


def definitions():
    for thing, meaning in facts.DEFINITIONS:
        wordings = [
            f"What is {thing}?",
            f"What's {thing}?",
            f"Can you explain what {thing} is?",
            f"Explain {thing}.",
            f"Tell me what {thing} is.",
            f"Do you know what {thing} is?",
        ]
        yield from ask(
            "definition", wordings, f"{sentence(thing)} is {meaning}.",
            f"The user wants to know what {thing} is. It is {meaning}.",
        )


def calendar():
    for kind, names in (("day", facts.DAYS), ("month", facts.MONTHS)):
        for i, name in enumerate(names):
            after, before = names[(i + 1) % len(names)], names[i - 1]
            wordings = [
                f"What {kind} comes after {name}?", f"Which {kind} comes after {name}?",
                f"What {kind} follows {name}?", f"What is the {kind} after {name}?",
            ]
            yield from ask(
                f"{kind}_after", wordings, f"{after} comes after {name}.", f"The {kind} after {name} is {after}.",
                after,
            )
            wordings = [
                f"What {kind} comes before {name}?", f"Which {kind} comes before {name}?",
                f"Which {kind} is before {name}?", f"What is the {kind} before {name}?",
            ]
            yield from ask(
                f"{kind}_before", wordings, f"{before} comes before {name}.",
                f"The {kind} before {name} is {before}.", before,
            )


def numbers():
    for n in range(0, 100):
        wordings = [f"What number comes after {n}?", f"Which number follows {n}?", f"What comes after {n}?"]
        yield from ask("number_after", wordings, f"{n + 1} comes after {n}.", f"The number after {n} is {n + 1}.", str(n + 1))
        parity = "odd" if n % 2 else "even"
        wordings = [f"Is {n} even or odd?", f"Is {n} odd or even?", f"Is the number {n} even or odd?"]
        yield from ask(
            "parity", wordings, f"{n} is {parity}.", f"The last digit of {n} is {n % 10}, so it is {parity}.",
            sentence(parity),
        )
    for n in range(2, 21):
        wordings = [f"Count to {n}.", f"Count from 1 to {n}.", f"Can you count to {n}?", f"Please count up to {n}."]
        counted = ", ".join(map(str, range(1, n + 1)))
        yield from ask("count", wordings, f"{counted}.", f"The user wants me to count to {n}.")


ONES = (
    "zero one two three four five six seven eight nine ten "
    "eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty"
).split()


def chinese_number(n):
    if n <= 10:
        return facts.CHINESE_DIGITS[n]
    tens, ones = divmod(n, 10)
    return (chinese_number(tens) if tens > 1 else "") + "十" + (facts.CHINESE_DIGITS[ones] if ones else "")


def sum_wordings(a, sign, b):
    word = {"+": "plus", "-": "minus", "*": "times"}[sign]
    common = [f"What is {a} {sign} {b}?", f"{a} {sign} {b}", f"{a}{sign}{b}=?", f"{a} {sign} {b} = ?", f"What is {a} {word} {b}?",
              f"How much is {a} {sign} {b}?", f"How much is {a} {word} {b}?", f"Calculate {a} {sign} {b}.", f"What's {a}{sign}{b}?"]
    named = {"+": [f"Add {a} and {b}.", f"What is the sum of {a} and {b}?"], "-": [f"Subtract {b} from {a}."], "*": [f"Multiply {a} by {b}."]}
    return common + named[sign] + [f"{a}{sign}{b}等于几？", f"{a}{sign}{b}等于多少？"]


def is_held_out_sum(a, sign, b):
    """Of sums the numbers are held out, not the wording: such a pair is never seen in either order, digits or words."""
    return is_held_out(f"{sign}{min(a, b)},{max(a, b)}")


def sums():
    small = [(a, "+", b, a + b) for a in range(21) for b in range(21)]
    small += [(a, "-", b, a - b) for a in range(21) for b in range(a + 1)]
    large = [(a, "+", b, a + b) for a in range(1, 100) for b in range(1, 101 - a) if max(a, b) > 20]
    large += [(a, "-", b, a - b) for a in range(21, 101) for b in range(1, a)]
    for group, triples in (("small", small), ("large", large)):
        for a, sign, b, result in triples:
            kind = {"+": "add", "-": "subtract"}[sign] + "_" + group
            for prompt in sum_wordings(a, sign, b)[: None if group == "small" else 9]:
                yield Question(
                    kind, prompt, f"{a} {sign} {b} = {result}", sum_thought(a, sign, b, result), str(result),
                    is_held_out_sum(a, sign, b),
                )
    for a, sign, b, result in small:
        if max(a, b, result) <= 20:
            yield from sums_in_words(a, sign, b, result)
    # Products are facts to be learned by heart: nothing to hold out.
    for a in range(11):
        for b in range(11):
            for prompt in sum_wordings(a, "*", b):
                yield Question("multiply", prompt, f"{a} * {b} = {a * b}", sum_thought(a, "*", b, a * b), str(a * b))


def sums_in_words(a, sign, b, result):
    held_out = is_held_out_sum(a, sign, b)
    thought = f"用户问{a} {sign} {b}，等于{result}。"
    chinese = f"{chinese_number(a)}{'加' if sign == '+' else '减'}{chinese_number(b)}"
    for prompt in (f"{chinese}等于几？", f"{chinese}是多少？", f"{chinese}等于多少？"):
        yield Question("sum_zh", prompt, f"{chinese}等于{chinese_number(result)}。", thought, chinese_number(result), held_out)
    english = f"{ONES[a]} {'plus' if sign == '+' else 'minus'} {ONES[b]}"
    thought = f"I need {a} {sign} {b}. That is {result}."
    for prompt in (f"What is {english}?", f"How much is {english}?", f"{sentence(english)}?"):
        yield Question("sum_words", prompt, f"{sentence(english)} is {ONES[result]}.", thought, sentence(ONES[result]), held_out)
    if a > 1 and b > 1 and result > 1:
        event = f"get {b} more" if sign == "+" else f"eat {b} of them"
        for fruit in ("apples", "bananas", "oranges"):
            yield Question(
                "sum_story", f"I have {a} {fruit} and {event}. How many {fruit} do I have?",
                f"You have {result} {fruit}.", thought, str(result), held_out,
            )


def sum_thought(a, sign, b, result):
    """The way to the result: a carry over ten in two steps, larger numbers by tens and ones."""
    if sign == "+" and a < 10 and b < 10 and a + b > 10:
        return f"I need {a} + {b}. First {a} + {10 - a} = 10. Then {b} - {10 - a} = {a + b - 10}, and 10 + {a + b - 10} = {result}."
    if sign != "*" and max(a, b) > 20 and min(a, b) >= 10:
        tens, ones = b // 10 * 10, b % 10
        middle = a + tens if sign == "+" else a - tens
        return f"I need {a} {sign} {b}. First {a} {sign} {tens} = {middle}. Then {middle} {sign} {ones} = {result}."
    return f"I need {a} {sign} {b}. That is {result}."


def comparisons():
    for a in range(0, 31):
        for b in range(0, 31):
            if a != b and zlib.crc32(f"{a} or {b}".encode()) % 4 == 0:
                wordings = [f"Which is bigger, {a} or {b}?", f"Which number is larger, {a} or {b}?", f"What is more, {a} or {b}?"]
                yield from ask(
                    "bigger", wordings, f"{max(a, b)} is bigger than {min(a, b)}.",
                    f"I compare {a} and {b}. {max(a, b)} is bigger.", str(max(a, b)),
                )


def talk():
    for kind, table in (("small_talk", facts.SMALL_TALK), ("about_kylin", facts.ABOUT_KYLIN)):
        for answer, *wordings in table:
            yield from ask(kind, wordings, answer, "The user talks to me. I answer in a friendly way.")
    for answer, *wordings in facts.CHINESE_TALK:
        yield from ask("talk_zh", wordings, answer, "用户用中文和我说话，我用中文回答。")
    for question, answer, *wordings in facts.QUESTIONS:
        yield from ask("fact", [question, *wordings], answer, "The user asks me something that I know. I answer it clearly.")
    for subject in facts.UNKNOWN_SUBJECTS:
        wordings = [
            f"Tell me about {subject}.", f"What do you know about {subject}?", f"Explain {subject} to me.",
            f"Can you teach me {subject}?",
        ]
        yield from ask("unknown", wordings, f"I am a very small model, and I do not know much about {subject}.",
                       f"The user asks about {subject}. I do not know much about it, and I should say so.")
    for answer, *wordings in facts.UNKNOWN_QUESTIONS:
        yield from ask("unknown", wordings, answer, "I do not know this, and I should say so.")
    for subject in stories.POEM_SUBJECTS:
        the = "" if subject in ("love", "spring", "rain", "snow") else "the "
        wordings = [f"Write a poem about {the}{subject}.", f"Write a short poem about {the}{subject}.", f"Can you write a poem about {the}{subject}?",
                    f"A poem about {the}{subject}, please.", f"Tell me a poem about {the}{subject}."]
        yield from ask(
            "poem", wordings, stories.poem(subject),
            f"The user wants a poem about {the}{subject}. I write four lines.",
        )


@functools.cache
def world():
    """Every question with a fixed answer, by kind."""
    by_kind = {}
    for part in (capitals, yes_or_no, colours, animals, opposites, words, definitions, calendar, numbers, sums, comparisons, talk):
        for question in part():
            by_kind.setdefault(question.kind, []).append(question)
    return by_kind
