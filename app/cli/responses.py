"""What a running server answers, for a person."""

import httpx

from app.errors import BookAgentError, UnavailableError


def check(response: httpx.Response) -> None:
    """Raises BookAgentError with the server's own words; UnavailableError for a 503."""
    if response.is_success:
        return
    response.read()
    try:
        problem = response.json()
        detail = f"{problem['detail']} (request {problem['request_id']})"
    except (ValueError, KeyError):
        detail = f"the server answered {response.status_code}"
    raise (UnavailableError if response.status_code == httpx.codes.SERVICE_UNAVAILABLE else BookAgentError)(detail)
