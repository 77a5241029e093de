"""The rows of this folder."""

from shared.hermes.profiles import Profiles
from web.api.health import Health
from web.api.http.gateway import models
from web.api.http.gateway.absent import absent_routes
from web.api.http.gateway.documents import Documents
from web.api.http.gateway.health import GatewayHealth
from web.api.http.gateway.info import Info
from web.api.http.routes import Result, Route
from web.api.http.run_models import ProfileQuery

NO_DOCUMENT = (501, 502)  # statuses of a gateway that does not have it, or gives no usable one


def with_gateway_routes(
    others: list[Route],
    *,
    profiles: Profiles,
    health: Health,
    needs_token: bool,
    cors: bool,
) -> list[Route]:
    """The other routes, and those of this folder, which say what all of them offer. `cors`: pages
    of other origins may ask."""
    documents = Documents()
    info = Info(profiles, documents, needs_token=needs_token, cors=cors)
    routes = [
        *others,
        *info_routes(info),
        *health_routes(GatewayHealth(profiles, documents, health)),
        *absent_routes(),
    ]
    info.know(routes)
    return routes


def info_routes(info: Info) -> list[Route]:
    """What a gateway offers."""
    return [
        Route(
            "GET",
            "/v1/models",
            info.models,
            "The models of the gateway.",
            Result(200, "What `model` of a run may name.", models.ModelList),
            query=ProfileQuery,
            refusals=[400, *NO_DOCUMENT],
        ),
        Route(
            "GET",
            "/v1/capabilities",
            info.capabilities,
            "What this server does, for clients that ask before they use it.",
            Result(200, "Features and endpoints.", models.Capabilities),
            query=ProfileQuery,
            refusals=[400],
        ),
        Route(
            "GET",
            "/v1/skills",
            info.skills,
            "The skills that the agent has.",
            Result(200, "All of them.", models.SkillList),
            query=ProfileQuery,
            refusals=[400, *NO_DOCUMENT],
        ),
        Route(
            "GET",
            "/v1/toolsets",
            info.toolsets,
            "The tools that the agent has, in sets.",
            Result(200, "All of them.", models.ToolsetList),
            query=ProfileQuery,
            refusals=[400, *NO_DOCUMENT],
        ),
        Route(
            "GET",
            "/api/profiles",
            info.profiles,
            "The profiles that this user may name, and what their gateways offer.",
            Result(200, "All of them, by name.", models.ProfileList),
        ),
    ]


def health_routes(health: GatewayHealth) -> list[Route]:
    """Whether it works."""
    brief = Result(200, "It answers.", models.Health)
    return [
        Route("GET", path, health.show, "Whether this process answers.", brief, public=True)
        for path in ("/health", "/v1/health")
    ] + [
        Route(
            "GET",
            "/health/detailed",
            health.detailed,
            "How the gateway and the parts of Holdfast are.",
            Result(200, "Also if some of them do not work.", models.DetailedHealth),
            query=ProfileQuery,
            refusals=[400],
        ),
    ]
