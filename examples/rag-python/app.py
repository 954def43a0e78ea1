"""Answers customers' questions from the handbook in `documents/`: words find candidates, embeddings choose, a model answers."""

import json
import math
import os
import re
import urllib.request
from collections import Counter
from pathlib import Path

CHAT_MODEL = "gpt-4.1-mini"
EMBEDDING_MODEL = "text-embedding-3-small"
CANDIDATES = 8
PASSAGES = 3
PASSAGE_CHARACTERS = 2000
SYSTEM = """\
You answer questions of customers of Nari Bikes, a bicycle rental service.
Use only the passages below. Answer in one short sentence, in the language of the question.
If the passages do not say it, answer "I don't know." (in Korean "모르겠습니다.").
"""


def terms(text):
    """The words of a text, cut to six letters; of Korean, where endings vary, pairs of syllables."""
    for word in re.findall(r"\w+", text.lower()):
        if word.isascii():
            yield word[:6]
        else:
            yield from (word[at : at + 2] for at in range(max(1, len(word) - 1)))


DOCUMENTS = [path.read_text("utf-8") for path in sorted(Path(__file__).with_name("documents").glob("*.md"))]
COUNTS = [Counter(terms(document)) for document in DOCUMENTS]
SPREAD = Counter(term for counts in COUNTS for term in counts)


def find_candidates(question):
    """The documents that share the most, and the rarest, words with the question."""

    def shared(counts):
        return sum(
            math.log(1 + len(DOCUMENTS) / SPREAD[term]) * counts[term] / (counts[term] + 1.5)
            for term in set(terms(question))
            if term in counts
        )

    order = sorted(range(len(DOCUMENTS)), key=lambda number: shared(COUNTS[number]), reverse=True)
    return [DOCUMENTS[number][:PASSAGE_CHARACTERS] for number in order[:CANDIDATES]]


def ask(path, body):
    """One request to the model provider."""
    request = urllib.request.Request(
        os.environ["OPENAI_BASE_URL"].rstrip("/") + path,
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"},
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


def choose_passages(question, candidates):
    """The candidates whose embeddings are nearest to the question's."""
    rows = ask("/embeddings", {"model": EMBEDDING_MODEL, "input": [question, *candidates]})["data"]
    asked, *found = (row["embedding"] for row in sorted(rows, key=lambda row: row["index"]))

    def nearness(vector):
        return sum(a * b for a, b in zip(asked, vector)) / (math.hypot(*asked) * math.hypot(*vector))

    order = sorted(range(len(candidates)), key=lambda number: nearness(found[number]), reverse=True)
    return [candidates[number] for number in order[:PASSAGES]]


def answer(question):
    """Answer one question, and tell which passages the answer rests on."""
    passages = choose_passages(question, find_candidates(question))
    context = "\n\n".join(f"Passage {number}:\n{passage}" for number, passage in enumerate(passages, 1))
    body = {
        "model": CHAT_MODEL,
        "temperature": 0,
        "max_tokens": 200,
        "messages": [
            {"role": "system", "content": f"{SYSTEM}\n{context}"},
            {"role": "user", "content": question},
        ],
    }
    said = ask("/chat/completions", body)["choices"][0]["message"]["content"]
    return {"output": said.strip(), "contexts": passages}


if __name__ == "__main__":
    import sys

    print(answer(" ".join(sys.argv[1:]))["output"])
