// What the agent can do beside talking: look up products and orders, and calculate.
import { readFileSync } from "node:fs";

const shop = JSON.parse(readFileSync(new URL("./shop.json", import.meta.url), "utf8"));

const text = (description) => ({ type: "string", description });
const describe = (name, description, properties) => ({
  type: "function",
  function: { name, description, parameters: { type: "object", properties, required: Object.keys(properties) } },
});

export const descriptions = [
  describe("find_product", "Price in euros and stock of a product.", { name: text("The product's English name") }),
  describe("find_order", "Status, day, product and quantity of an order.", {
    number: { type: "integer", description: "The order's number" },
  }),
  describe("calculate", "The value of an arithmetic expression.", { expression: text("For example 3 * (4.5 + 2)") }),
];

const functions = {
  find_product: ({ name }) =>
    shop.products.find((product) => product.name === String(name).toLowerCase()) ?? { error: "no such product" },
  find_order: ({ number }) => shop.orders.find((order) => order.number === Number(number)) ?? { error: "no such order" },
  calculate: ({ expression }) => ({ result: Math.round(calculate(String(expression)) * 100) / 100 }),
};

/** Call a tool; what goes wrong is told to the model, which can try again. */
export function callTool(name, argumentsText) {
  try {
    if (!Object.hasOwn(functions, name)) throw new Error(`there is no tool ${name}`);
    return functions[name](JSON.parse(argumentsText));
  } catch (error) {
    return { error: error.message };
  }
}

/** Read +, -, *, / and brackets by recursive descent, so that a model's text is never run as code. */
export function calculate(expression) {
  const tokens = expression.match(/\d+(?:\.\d+)?|[-+*/()]|\S/g) ?? [];
  let at = 0;
  const chain = (next, operations) => () => {
    let value = next();
    while (Object.hasOwn(operations, tokens[at])) value = operations[tokens[at++]](value, next());
    return value;
  };
  const factor = () => {
    const token = tokens[at++];
    if (token === "-") return -factor();
    if (token === "(") {
      const value = sum();
      if (tokens[at++] !== ")") throw new Error("a bracket is not closed");
      return value;
    }
    if (!/^\d/.test(token ?? "")) throw new Error(`cannot calculate ${expression}`);
    return Number(token);
  };
  const product = chain(factor, { "*": (a, b) => a * b, "/": (a, b) => a / b });
  const sum = chain(product, { "+": (a, b) => a + b, "-": (a, b) => a - b });
  const value = sum();
  if (at < tokens.length || !Number.isFinite(value)) throw new Error(`cannot calculate ${expression}`);
  return value;
}
