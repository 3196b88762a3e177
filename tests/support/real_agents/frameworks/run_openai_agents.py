"""An agent of the OpenAI Agents SDK with a tool: docs/agents/openai-agents.md."""

from agents import Agent, Runner, function_tool
from openinference.instrumentation.openai_agents import OpenAIAgentsInstrumentor
from traced import trace

trace()
OpenAIAgentsInstrumentor().instrument()


@function_tool
def look(city: str) -> str:
    """Tell the weather."""
    return f"sun in {city}"


planner = Agent(name="planner", model="mock", tools=[look])
print(Runner.run_sync(planner, "What is the weather?").final_output)
