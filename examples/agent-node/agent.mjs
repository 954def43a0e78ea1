// The order desk of a furniture shop: reads one question a line as JSON, answers with the help of tools.
import { createInterface } from "node:readline";
import { callTool, descriptions } from "./tools.mjs";

const MODEL = "gpt-4.1-mini";
const MAX_TURNS = 4;
const SYSTEM = `You work at the order desk of a furniture shop. Prices are in euros.
Look up prices and orders with the tools, and let the calculator do all arithmetic. Never guess a figure.
Answer in one or two sentences, in the customer's language.`;

async function chat(messages) {
  const response = await fetch(`${process.env.OPENAI_BASE_URL}/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${process.env.OPENAI_API_KEY}` },
    body: JSON.stringify({ model: MODEL, temperature: 0, max_tokens: 400, messages, tools: descriptions }),
    signal: AbortSignal.timeout(60_000),
  });
  if (!response.ok) throw new Error(`the model provider answered ${response.status}`);
  return (await response.json()).choices[0].message;
}

async function answer(question) {
  const messages = [
    { role: "system", content: SYSTEM },
    { role: "user", content: question },
  ];
  const used = [];
  for (let turn = 0; turn < MAX_TURNS; turn++) {
    const message = await chat(messages);
    if (!message.tool_calls?.length) return { output: message.content, tool_calls: used };
    messages.push(message);
    for (const { id, function: call } of message.tool_calls) {
      used.push({ name: call.name, arguments: call.arguments });
      messages.push({ role: "tool", tool_call_id: id, content: JSON.stringify(callTool(call.name, call.arguments)) });
    }
  }
  return { output: "Sorry, this takes me too long. Please call the order desk.", tool_calls: used };
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, input } = JSON.parse(line);
  const said = await answer(input).catch((error) => ({ error: error.message }));
  process.stdout.write(`${JSON.stringify({ id, ...said })}\n`);
}
