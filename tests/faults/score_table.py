"""The score as tables of a page: written between <!-- score --> and <!-- end of score -->."""
from faults import FAULTS

QUESTIONS = ("detected", "located", "named", "parameters")
BEGIN, END = "<!-- score -->\n", "<!-- end of score -->"

# Why a fault is not always named, by its title.
REASONS = {}


def count(rows, key):
    return f"{sum(bool(row[key]) for row in rows)}/{len(rows)}"


def line(*cells):
    return "| " + " | ".join(cells) + " |\n"


def fault_table(rows):
    text = line("planted", "called", "models", *QUESTIONS) + line(*["---"] * 7)
    for title, entry in FAULTS.items():
        mine = [row for row in rows if row["fault"] == title]
        if mine:
            recovered = count(mine, "parameters") if entry.parameters else ""
            models = ", ".join(dict.fromkeys(row["model"] for row in mine))
            text += line(title, f"`{entry.name}`", models, *(count(mine, q) for q in QUESTIONS[:3]), recovered)
    with_parameters = [row for row in rows if FAULTS[row["fault"]].parameters]
    recovered = count(with_parameters, "parameters")
    return text + line("**all**", "", "", *(f"**{count(rows, q)}**" for q in QUESTIONS[:3]), f"**{recovered}**")


def misses(rows):
    wrong = [row for row in rows if not all(row[q] for q in QUESTIONS)]
    if not wrong:
        return "No miss.\n"
    text = line("miss", "where", "answer", "why") + line(*["---"] * 4)
    for row in wrong:
        where = f"{row['model']}, layers {row['layers']}, {row['phase']}"
        text += line(row["fault"], where, ", ".join(row["names"]) or "nothing", REASONS.get(row["fault"], "not explained"))
    return text


def override_table(rows):
    text = line("llama.cpp reads", *QUESTIONS) + line(*["---"] * 5)
    for row in rows:
        text += line(row["fault"], *("yes" if row[q] else "no" for q in QUESTIONS))
    return text


def stack_table(rows):
    text = line("stacked", "runs", "all named") + line(*["---"] * 3)
    for n in (2, 3):
        mine = [row for row in rows if len(row["planted"]) == n]
        text += line(f"{n} faults", str(len(mine)), count(mine, "all_named"))
    for row in rows:
        if not row["all_named"]:
            text += line(f"{' + '.join(row['planted'])}, {row['model']}", "1", "answer: " + ", ".join(row["names"]))
    return text


def clean_line(rows):
    blamed = sum(bool(row["names"]) for row in rows)
    return f"{len(rows)} clean runs of llama.cpp (threads, cache types, flash attention, repacking): {blamed} blamed.\n"


def markdown(page, results):
    parts = [fault_table(results["faults"]), misses(results["faults"])]
    if results["stacks"]:
        parts.append(stack_table(results["stacks"]))
    if results["overrides"]:
        parts += [override_table(results["overrides"]), clean_line(results["clean"])]
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + "\n" + "\n".join(parts) + "\n" + END + rest.partition(END)[2]
