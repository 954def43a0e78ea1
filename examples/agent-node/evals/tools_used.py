"""Did the agent call the tools that the case names, and no others, in this order? Arguments are not compared."""


def score(case, output):
    wanted = [call["name"] for call in case["metadata"]["tools"]]
    called = [call["name"] for call in output["tool_calls"]]
    return {"score": float(called == wanted), "reason": f"wanted {wanted}, called {called}"}
