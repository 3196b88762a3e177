"""An agent of Pydantic AI that asks another one: docs/agents/pydantic-ai.md."""

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from traced import trace

trace()
Agent.instrument_all()
model = OpenAIChatModel("mock")
helper = Agent(model, name="helper")
planner = Agent(model, name="planner")


@planner.tool_plain
async def ask(city: str) -> str:
    """Ask the helper."""
    return (await helper.run(f"Say the weather of {city}")).output


print(planner.run_sync("What is the weather?").output)
