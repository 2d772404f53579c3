"""Bearer tokens of a project."""

from datetime import timedelta
from typing import Annotated

from django.http import HttpResponse
from ninja import Path, Query, Router

from jobs_app.api.authentication import ApiRequest
from jobs_app.api.creation import created
from jobs_app.api.parameters import PLAIN, Cursor, IdempotencyKey, Limit, problems
from jobs_app.api.projects import Slug
from jobs_app.api.schemas import NewToken, TokenIn, TokenOut, TokenPage
from jobs_app.services import paging, tokens

router = Router(tags=["Tokens"])
TokenId = Annotated[int, Path(ge=1, lt=2**63), PLAIN]
Overlap = Annotated[int, Query(ge=0, le=30 * 86400, description="How long the old token goes on."), PLAIN]


@router.get("/projects/{p}/tokens", response=TokenPage, summary="List tokens")
def list_tokens(
    request: ApiRequest, p: Slug, cursor: Cursor = None, limit: Limit = paging.DEFAULT_LIMIT
) -> paging.Page:
    return paging.page(tokens.of(request.auth, p), "-id", cursor, limit)


@router.post("/projects/{p}/tokens", response={201: NewToken}, summary="Create a token")
def create_token(request: ApiRequest, p: Slug, body: TokenIn, key: IdempotencyKey = None) -> HttpResponse:
    """The secret is in this answer only."""

    def create() -> tuple[NewToken, str]:
        token, secret = tokens.create(request.auth, p, body.name, body.scopes, body.expires_at)
        return NewToken(**TokenOut.from_orm(token).model_dump(), token=secret), f"{request.path}/{token.pk}"

    return created(request, request.auth, create, key)


@router.post(
    "/projects/{p}/tokens/{token_id}/rotate",
    response={201: NewToken},
    summary="Replace a token",
    openapi_extra=problems(409),
)
def rotate_token(
    request: ApiRequest, p: Slug, token_id: TokenId, overlap_seconds: Overlap = 86400, key: IdempotencyKey = None
) -> HttpResponse:
    """A successor with the same rights; the old one goes on for the overlap, so that nothing has to stop."""

    def create() -> tuple[NewToken, str]:
        token, secret = tokens.rotate(request.auth, p, token_id, timedelta(seconds=overlap_seconds))
        collection = request.path.removesuffix(f"/{token_id}/rotate")
        return NewToken(**TokenOut.from_orm(token).model_dump(), token=secret), f"{collection}/{token.pk}"

    return created(request, request.auth, create, key)


@router.delete("/projects/{p}/tokens/{token_id}", response={204: None}, summary="Revoke a token")
def delete_token(request: ApiRequest, p: Slug, token_id: TokenId) -> None:
    """The token ends at once."""
    tokens.revoke(request.auth, p, token_id)
