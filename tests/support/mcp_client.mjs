// The official client of TypeScript: what it did, as one line of JSON.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const [url, project, mode] = process.argv.slice(2);
const key = process.env.MCP_KEY;
const client = new Client({ name: "typescript", version: "1" }, { versionNegotiation: { mode } });
const headers = { Authorization: `Bearer ${key}` };
await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit: { headers } }));
const call = async (name, given) => (await client.callTool({ name, arguments: { project, ...given } })).structuredContent;
const { tools } = await client.listTools();
const begun = await call("start_task", { title: "Задача" });
await call("fail_task", { task_id: "Задача", error_message: "boom" });
const read = await call("get_task", { task_id: "Задача" });
const { contents } = await client.readResource({ uri: `tracker://projects/${encodeURIComponent(project)}` });
const { messages } = await client.getPrompt({ name: "what_failed", arguments: { project } });
await client.close();
console.log(JSON.stringify({ tools: tools.length, begun, task: read.data, contents: contents.length, messages: messages.length }));
