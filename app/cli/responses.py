"""What a running server answers, for a person."""

import httpx

from app.errors import BookAgentError


def check(response: httpx.Response) -> None:
    """Raises BookAgentError with the server's own words."""
    if response.is_success:
        return
    response.read()
    try:
        problem = response.json()
        detail = f"{problem['detail']} (request {problem['request_id']})"
    except (ValueError, KeyError):
        detail = f"the server answered {response.status_code}"
    raise BookAgentError(detail)
