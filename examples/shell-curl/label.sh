#!/bin/sh
# Labels one customer's message: reads {"input": ...} from standard input, streams the model's answer to standard output.
set -eu

body=$(python3 -c '
import json, sys

question = json.load(sys.stdin)["input"]
with open("prompt.txt", encoding="utf-8") as file:
    prompt = file.read()
messages = [{"role": "system", "content": prompt}, {"role": "user", "content": question}]
json.dump({"model": "gpt-4.1-nano", "temperature": 0, "max_tokens": 20, "stream": True, "messages": messages}, sys.stdout)
')

# The key goes in through a pipe: arguments can be read by every process of the machine.
printf 'header = "Authorization: Bearer %s"\n' "$OPENAI_API_KEY" |
    curl --config - --silent --show-error --fail --no-buffer --max-time 60 \
        --header 'Content-Type: application/json' --data-binary "$body" "$OPENAI_BASE_URL/chat/completions" |
    python3 -c '
import json, sys

for line in sys.stdin:
    data = line.removeprefix("data:").strip()
    if data == "[DONE]":
        sys.exit()
    if line.startswith("data:"):
        for choice in json.loads(data)["choices"]:
            print(choice["delta"].get("content") or "", end="", flush=True)
sys.exit("the answer broke off")
'
