# Qwen3's chat format: the turns of one conversation as text, and the Jinja template that says the same.
PROMPT_WEIGHT = 0.1  # the user's words are context; a little loss on them makes their embeddings useful
EMPTY_THOUGHT = "<think>\n\n</think>\n\n"


def turn(role, content):
    return f"<|im_start|>{role}\n{content}<|im_end|>\n"


def render(messages, thought):
    """Training text as [(text, weight)]. Only the last answer is learned: earlier ones stand without their thoughts.
    An empty thought is given by the template, never written by the model, so it has no weight."""
    prompt = "".join(turn(m["role"], m["content"]) for m in messages[:-1]) + "<|im_start|>assistant\n"
    answer = messages[-1]["content"] + "<|im_end|>"
    if thought:
        return [(prompt, PROMPT_WEIGHT), (f"<think>\n{thought}\n</think>\n\n{answer}", 1.0)]
    return [(prompt, PROMPT_WEIGHT), (EMPTY_THOUGHT, 0.0), (answer, 1.0)]


def prompt_of(question, think=False):
    return turn("user", question) + "<|im_start|>assistant\n" + ("" if think else EMPTY_THOUGHT)
