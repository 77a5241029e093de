"""What the gateway's documents look like. Fields that newer gateways add are passed on."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Document(BaseModel):
    """A document, or a part of one: these fields at least."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True)


class Model(Document):
    """A model that runs may name. `root`: what it stands for."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    root: str | None = None
    parent: str | None = None


class ModelList(Document):
    """The models of a gateway."""

    object: Literal["list"]
    data: list[Model]


class Skill(Document):
    """A skill that the agent has."""

    name: str
    description: str | None = None
    category: str | None = None


class SkillList(Document):
    """The skills of a gateway."""

    object: Literal["list"]
    data: list[Skill]


class Toolset(Document):
    """Tools that belong together. `enabled`: the agent of the API server has them."""

    name: str
    label: str | None = None
    description: str | None = None
    enabled: bool
    configured: bool
    tools: list[str]


class ToolsetList(Document):
    """The toolsets of a gateway."""

    object: Literal["list"]
    platform: str
    data: list[Toolset]


class Auth(BaseModel):
    """How clients say who they are."""

    type: Literal["bearer"]
    required: bool


class Runtime(BaseModel):
    """Where the agent and its tools work."""

    mode: str
    tool_execution: str
    split_runtime: bool
    description: str


class Endpoint(BaseModel):
    """One path that is served."""

    method: str
    path: str


class Capabilities(BaseModel):
    """What this server does. What it does not do is false in `features`, and not in `endpoints`."""

    object: Literal["hermes.api_server.capabilities"]
    platform: Literal["hermes-agent"]
    model: str
    auth: Auth
    runtime: Runtime
    features: dict[str, Any]
    endpoints: dict[str, Endpoint]
    holdfast: dict[str, str]


class Health(BaseModel):
    """The process answers. `version`: of the gateway's API that is served here."""

    status: Literal["ok"]
    platform: Literal["hermes-agent"]
    version: str
    holdfast: str


class Check(BaseModel):
    """One thing that was looked at; other fields are counts and words."""

    model_config = ConfigDict(extra="allow")

    status: str


class Readiness(BaseModel):
    """Whether runs can be done now."""

    status: Literal["ok", "degraded"]
    checks: dict[str, Check]


class Parts(BaseModel):
    """The parts of Holdfast: `ok` or `failed`."""

    version: str
    gateway: Literal["ok", "failed"]
    dependencies: dict[str, Literal["ok", "failed"]]
    services: dict[str, Literal["ok", "failed"]]


class DetailedHealth(BaseModel):
    """What the gateway says of itself, and what Holdfast says of itself. The gateway's fields are
    null, 0 or false while it does not answer."""

    status: Literal["ok", "degraded"]
    readiness: Readiness
    platform: Literal["hermes-agent"]
    version: str
    gateway_state: str | None
    platforms: dict[str, dict[str, Any]]
    active_agents: int
    gateway_busy: bool
    gateway_drainable: bool
    exit_reason: None
    updated_at: Any
    pid: int | None
    holdfast: Parts


class ProfileEntry(BaseModel):
    """A gateway that runs may name. `context_length`: in tokens, if it is configured. `models` and
    `version` are null while the gateway does not answer."""

    name: str
    default: bool
    context_length: int | None
    available: bool
    version: str | None = Field(description="Of the gateway.")
    model: str | None = Field(description="That a run gets which names none.")
    models: list[str] | None


class ProfileList(BaseModel):
    """The profiles of this user."""

    object: Literal["list"]
    data: list[ProfileEntry]
