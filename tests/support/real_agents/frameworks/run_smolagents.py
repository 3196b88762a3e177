"""An agent of smolagents with a tool: docs/agents/smolagents.md."""

import os

from openinference.instrumentation.smolagents import SmolagentsInstrumentor
from smolagents import OpenAIServerModel, ToolCallingAgent, tool
from traced import trace

trace()
SmolagentsInstrumentor().instrument()


@tool
def look(city: str) -> str:
    """Tell the weather.

    Args:
        city: Of which city.
    """
    return f"sun in {city}"


model = OpenAIServerModel("mock", api_base=os.environ["OPENAI_BASE_URL"], api_key="none")
planner = ToolCallingAgent(tools=[look], model=model, name="planner", description="Plans.")
print(planner.run("What is the weather?"))
