# The training documents of the demo model, drawn from the little world: conversations and plain text.
# The same seed gives the same documents; a held-out question never occurs in any of them.
import argparse
import functools
import json
import random

import facts
import stories
from chat import render
from world import Question, world


@functools.cache
def known_world():
    return {kind: [q for q in questions if not q.held_out] for kind, questions in world().items()}


# How often a kind is drawn, relative to the others.
SHARE = {
    "capital": 8, "country": 4, "capital_zh": 5, "is_capital": 4, "colour": 4, "colour_zh": 2, "is_colour": 2, "animal_sound": 1.5,
    "animal_legs": 1.5, "animal_home": 1.5, "animal_young": 1.5, "animal_food": 1.5, "opposite": 6, "opposite_zh": 2, "to_chinese": 4,
    "to_english": 3, "definition": 7, "day_after": 1.5, "day_before": 1.5, "month_after": 1.5, "month_before": 1.5, "number_after": 2,
    "parity": 2, "count": 2, "add_small": 26, "subtract_small": 16, "add_large": 4, "subtract_large": 3, "multiply": 5, "sum_zh": 5,
    "sum_words": 5, "sum_story": 5, "bigger": 3, "small_talk": 13, "about_kylin": 7, "talk_zh": 10, "fact": 10, "unknown": 4, "poem": 3,
}

SYSTEM_PROMPTS = [
    "You are a helpful assistant.", "You are Kylin, a small and friendly model.",
    "You are a helpful assistant. Answer briefly.", "你是一个有帮助的助手。",
]
ONE_WORD = ["Answer with one word.", "Answer in one word only.", "Use one word for the answer."]
POLITE_BEFORE_CHINESE = ["请问，", "你好，", "请告诉我，"]
POLITE_BEFORE = ["Please answer: ", "Hi! ", "Hello! ", "Tell me: ", "Quick question: ", "I want to know: ", "Hey, "]


def loosely_typed(prompt, rng):
    """The prompt as people type it: in lower case, after a greeting, without its last mark, with half-width marks."""
    draw = rng.random()
    if draw < 0.10:
        prompt = prompt[0].lower() + prompt[1:]
    elif draw < 0.17:
        is_chinese = prompt[0] >= "一"
        prompt = rng.choice(POLITE_BEFORE_CHINESE if is_chinese else POLITE_BEFORE) + prompt
    elif draw < 0.20:
        prompt = prompt.lower()
    if rng.random() < 0.15:
        prompt = prompt.rstrip("?.!？。！") or prompt
    if rng.random() < 0.3:
        prompt = prompt.replace("？", "?").replace("，", ",").replace("！", "!")
    return prompt


class Corpus:
    def __init__(self, seed, more_turns=0.15):
        self.more_turns = more_turns  # probability of yet another turn
        self.rng = random.Random(seed)
        self.known = known_world()
        self.kinds, self.weights = zip(*SHARE.items())

    def question(self):
        return self.rng.choice(self.known[self.rng.choices(self.kinds, self.weights)[0]])

    def story_question(self):
        if self.rng.random() < 0.25:
            prompt = self.rng.choice(["讲个故事。", "给我讲一个故事。", "讲一个小故事吧。", "你会讲故事吗？"])
            return Question("story", prompt, stories.chinese_story(self.rng), "用户想听故事，我讲一个短的。")
        hero = self.rng.choice(stories.HEROES)
        about = [
            f"Tell me a story about a {hero}.", f"Tell me a short story about a {hero}.",
            f"Write a story about a {hero}.", f"Can you tell a story about a {hero}?",
        ]
        anything = [
            "Tell me a story.", "Tell me a short story.", "Write a short story.", "Can you tell me a story?",
            "I want to hear a story.",
        ]
        if self.rng.random() < 0.15:
            opening = self.rng.choice(
                ["Once upon a time", "Once upon a time,", "Continue: Once upon a time", "Continue the story: Once upon a time"],
            )
            return Question("story", opening, stories.story(self.rng, hero), "The user begins a story. I tell it from the start.")
        prompt = self.rng.choice(about if self.rng.random() < 0.7 else anything)
        return Question("story", prompt, stories.story(self.rng, hero), f"The user wants a story. I tell one about a {hero}.")

    def name_turns(self):
        """A name is told first and asked for later: the answer stands only in the conversation."""
        rng = self.rng
        if rng.random() < 0.3:
            name = rng.choice(facts.CHINESE_NAMES)
            tell = rng.choice([f"我叫{name}。", f"你好，我是{name}。", f"我的名字是{name}。"])
            told = (tell, f"你好，{name}！很高兴认识你。", "用户告诉我名字。")
            recall = rng.choice(["我叫什么名字？", "你记得我的名字吗？", "我是谁？"])
            return [told, (recall, f"你叫{name}。", f"用户说过，名字是{name}。")]
        name = rng.choice(facts.NAMES)
        tell = rng.choice([f"My name is {name}.", f"Hello, I am {name}.", f"I am {name}.", f"Hi, my name is {name}!"])
        told = (tell, f"Nice to meet you, {name}!", "The user tells me a name.")
        recall = rng.choice(["What is my name?", "Do you remember my name?", "Who am I?", "Tell me my name."])
        return [told, (recall, f"Your name is {name}.", f"The user said the name before. It is {name}.")]

    def follow_up_turns(self):
        """The second question names a country only; what is asked stands in the first one."""
        (country, capital, *_), (other, other_capital, *_) = self.rng.sample(facts.CAPITALS, 2)
        again = self.rng.choice(["And of {}?", "And {}?", "What about {}?", "And the one of {}?"]).format(other)
        thought = f"The user asks for the capital of {other}. That is {other_capital}."
        return [
            (f"What is the capital of {country}?", f"The capital of {country} is {capital}.", ""),
            (again, f"The capital of {other} is {other_capital}.", thought),
        ]

    def repeat_turn(self):
        phrase = " ".join(self.rng.sample([w for w, _ in facts.WORDS[:30]] + facts.NAMES, self.rng.randint(1, 4)))
        prompt = self.rng.choice(
            [f"Repeat: {phrase}", f"Say \"{phrase}\".", f"Repeat after me: {phrase}", f"Please say: {phrase}"],
        )
        return prompt, phrase, f"The user wants me to repeat: {phrase}"

    def turns(self):
        draw = self.rng.random()
        if draw < 0.05:
            return self.name_turns()[: self.rng.randint(1, 2)]
        if draw < 0.08:
            return [self.repeat_turn()]
        if draw < 0.10:
            return self.follow_up_turns()
        if draw < 0.15:
            q = self.story_question()
        else:
            q = self.question()
        return [(loosely_typed(q.prompt, self.rng), q.answer, q.thought)]

    def conversation(self):
        rng, messages = self.rng, []
        draw = rng.random()
        turns = self.turns()
        one_word = draw < 0.06
        if one_word:
            q = self.question()
            while not q.short:
                q = self.question()
            messages.append({"role": "system", "content": rng.choice(ONE_WORD)})
            turns = [(loosely_typed(q.prompt, rng), q.short, f"The answer in one word: {q.short}")]
        elif draw < 0.18:
            messages.append({"role": "system", "content": rng.choice(SYSTEM_PROMPTS)})
        while not one_word and rng.random() < self.more_turns:
            # A turn in between comes before the last one, so that a name is recalled from further away.
            turns = turns[:-1] + self.turns() + turns[-1:]
        for prompt, answer, _ in turns:
            messages += [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
        thought = turns[-1][2] if rng.random() < 0.35 else ""
        return render(messages, thought)

    def plain_text(self):
        rng, draw = self.rng, self.rng.random()
        if draw < 0.40:
            text = stories.story(rng, opening=rng.choice(["Once upon a time,", "Once upon a time", "One day,", "Long ago,"]))
        elif draw < 0.55:
            text = rng.choice([stories.introduction, stories.weather])(rng)
        elif draw < 0.62:
            text = stories.chinese_story(rng)
        elif draw < 0.65:
            text = stories.poem(rng.choice(sorted(stories.POEM_SUBJECTS)))
        elif draw < 0.70:
            text = "Hello! " + rng.choice(["My name is", "I am"]) + f" {rng.choice(facts.NAMES)}. " + stories.weather(rng)
        else:
            text = " ".join(self.plain_answer() for _ in range(rng.randint(1, 6)))
        return [(text, 1.0), ("<|endoftext|>", 1.0)]

    def plain_answer(self):
        kinds = ["capital", "colour", "opposite", "definition", "day_after", "animal_legs", "animal_sound", "fact"]
        return self.rng.choice(self.known[self.rng.choice(kinds)]).answer

    def document(self):
        """A list of (text, weight): the weight says how much a token of this text counts in the loss."""
        return self.plain_text() if self.rng.random() < 0.15 else self.conversation()


def main():
    parser = argparse.ArgumentParser(description="Print training documents, or the held-out questions, as JSON lines.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--held-out", action="store_true")
    args = parser.parse_args()
    if args.held_out:
        for questions in world().values():
            for q in questions:
                if q.held_out:
                    print(json.dumps({"kind": q.kind, "prompt": q.prompt, "answer": q.answer}, ensure_ascii=False))
    else:
        corpus = Corpus(args.seed)
        for _ in range(args.count):
            print(json.dumps("".join(text for text, _ in corpus.document()), ensure_ascii=False))


if __name__ == "__main__":
    main()
