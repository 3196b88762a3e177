"""What agents that are plugged in tell, made into reports: a file for each agent, and one for what
they have in common. Pure: payload and state in, reports and state out."""
