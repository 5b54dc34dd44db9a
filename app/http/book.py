"""Searching the book, without a model."""

from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody, SkipValidation

from app.http.chat import PROBLEMS
from app.http.limits import limit_requests
from app.http.schemas import RetrieveRequest, RetrieveResponse
from app.http.validation import check_body
from app.resources import Resources


@post(
    "/api/v1/retrieve",
    status_code=200,
    guards=[limit_requests],
    before_request=check_body,
    summary="Find passages",
    tags=["book"],
    responses={status: PROBLEMS[status] for status in (400, 413, 429, 503)},
)
async def retrieve(
    data: JSONBody[RetrieveRequest], resources: NamedDependency[SkipValidation[Resources]]
) -> RetrieveResponse:
    with resources.metrics.search_seconds.time():
        found = await resources.retriever.search(
            data.query, limit=data.limit, filters=data.filters, whole_sections=data.whole_sections
        )
    version = await resources.retriever.index_version()
    resources.metrics.cached_searches.inc(found.cached_s is not None)
    return RetrieveResponse(data.query, found.passages, found.answerability, version, found.cached_s)
