"""A graph of LangGraph with a tool: docs/agents/langgraph.md."""

from langchain.agents import create_agent
from langchain_openai import ChatOpenAI
from openinference.instrumentation.langchain import LangChainInstrumentor
from traced import trace

trace()
LangChainInstrumentor().instrument()


def look(city: str) -> str:
    """Tell the weather."""
    return f"sun in {city}"


planner = create_agent(ChatOpenAI(model="mock"), [look], name="planner")
asked = {"messages": [{"role": "user", "content": "What is the weather?"}]}
print(planner.invoke(asked)["messages"][-1].content)
