"""How each agent is set up and run: what was found out stands in docs/agents/."""

from __future__ import annotations

import json
import shutil

from tests.support.real_agents.anthropic import AnthropicModel
from tests.support.real_agents.driving import Agent
from tests.support.real_agents.gemini import GeminiModel
from tests.support.real_agents.openai import OpenaiModel

KEY = "sk-ant-api03-x"


class ClaudeCode(Agent):
    """Anthropic's."""

    name = "claude-code"
    model_type = AnthropicModel

    def set_up(self) -> None:
        # Answers to what it asks at its first start.
        answered = {
            **{"hasCompletedOnboarding": True, "theme": "dark"},
            "customApiKeyResponses": {"approved": [KEY[-20:]], "rejected": []},
            "projects": {str(self.project): {"hasTrustDialogAccepted": True}},
        }
        self.write(".claude.json", json.dumps(answered))

    def variables(self) -> dict[str, str]:
        return {
            **{"ANTHROPIC_BASE_URL": self.model.url, "ANTHROPIC_API_KEY": KEY},
            **{"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"},
            "CLAUDE_CODE_MAX_RETRIES": "0",
            "IS_SANDBOX": "1",  # root, too, may go without permissions
        }

    def headless(self, prompt: str, *options: str) -> list[str]:
        mode = [] if "--permission-mode" in options else ["--permission-mode", "bypassPermissions"]
        return [str(self.program), "-p", prompt, *mode, *options]

    def interactive(self, *options: str) -> list[str]:
        return [str(self.program), "--permission-mode", "default", *options]


class Codex(Agent):
    """OpenAI's."""

    name = "codex"
    model_type = OpenaiModel

    def set_up(self) -> None:
        config = f"""
            model = "mock"
            model_provider = "mock"
            check_for_update_on_startup = false
            approval_policy = "on-request"
            sandbox_mode = "read-only"
            [model_providers.mock]
            name = "mock"
            base_url = "{self.model.url}/v1"
            env_key = "MOCK_KEY"
            wire_api = "responses"
            request_max_retries = 0
            stream_max_retries = 0
            [projects."{self.project}"]
            trust_level = "trusted"
            [analytics]
            enabled = false
        """
        self.write(".codex/config.toml", "\n".join(map(str.strip, config.strip().splitlines())))

    def variables(self) -> dict[str, str]:
        return {"MOCK_KEY": "x"}

    def headless(self, prompt: str, *options: str) -> list[str]:
        asks_nothing = "--dangerously-bypass-approvals-and-sandbox"
        trusts = "--dangerously-bypass-hook-trust"  # as the user would by /hooks, once
        return [str(self.program), "exec", *options, asks_nothing, trusts, prompt]

    def interactive(self, *options: str) -> list[str]:
        return [str(self.program), "--dangerously-bypass-hook-trust", *options]


class Gemini(Agent):
    """Google's."""

    name = "gemini-cli"
    model_type = GeminiModel

    def set_up(self) -> None:
        settings = {
            "security": {
                "auth": {"selectedType": "gemini-api-key"},
                "folderTrust": {"enabled": False},
            },
            "general": {"disableAutoUpdate": True},
            "privacy": {"usageStatisticsEnabled": False},
            "telemetry": {"enabled": False},
        }
        self.write(".gemini/settings.json", json.dumps(settings))

    def variables(self) -> dict[str, str]:
        return {"GEMINI_API_KEY": "x", "GOOGLE_GEMINI_BASE_URL": self.model.url}

    def headless(self, prompt: str, *options: str) -> list[str]:
        # A model by name: else another one is asked first which to take.
        model = ["--model", "gemini-2.5-pro"]
        return ["node", str(self.program), "--prompt", prompt, "--yolo", *model, *options]


class Opencode(Agent):
    """opencode, with Anthropic's models."""

    name = "opencode"
    model_type = AnthropicModel

    def set_up(self) -> None:
        model = "anthropic/claude-sonnet-4-5"
        settings = {
            **{"autoupdate": False, "share": "disabled", "model": model, "small_model": model},
            "provider": {
                "anthropic": {"options": {"baseURL": f"{self.model.url}/v1", "apiKey": KEY}}
            },
        }
        self.write(".config/opencode/opencode.json", json.dumps(settings))
        # What plugins need, which it would install at its start.
        root = next(path for path in self.program.parents if path.name == "node_modules").parent
        folder = self.home / ".config" / "opencode"
        (folder / "node_modules").symlink_to(root / "plugins" / "node_modules")
        for name in ("package.json", "package-lock.json"):
            shutil.copy(root / "plugins" / name, folder)

    def variables(self) -> dict[str, str]:
        names = ("MODELS_FETCH", "AUTOUPDATE", "LSP_DOWNLOAD", "DEFAULT_PLUGINS")
        return {f"OPENCODE_DISABLE_{name}": "1" for name in names}

    def headless(self, prompt: str, *options: str) -> list[str]:
        return [str(self.program), "run", *options, prompt]
