"""Storages: which there are, what they can do, how they are."""

from typing import Annotated

from django.http import HttpResponse
from ninja import Path, Router

from jobs_app.api import job_answers
from jobs_app.api.authentication import ApiRequest
from jobs_app.api.projects import Slug
from jobs_app.api.storage_answers import storage_value
from jobs_app.api.storage_schemas import StorageList, StorageOut
from jobs_app.services import storages
from jobs_app.services.storages import StorageState

router = Router(tags=["Storages"])
Alias = Annotated[str, Path(description="The storage's name in the settings.", max_length=64)]
STORAGES = "/projects/{p}/storages"
PLACE = f"{STORAGES}/{{s}}"


@router.get("/storages", response=StorageList, summary="List storages")
def list_storages(request: ApiRequest) -> HttpResponse:
    """The shared ones, and those of your projects, with their health when they were last asked."""
    return _listed(storages.of_server(request.auth))


@router.get(STORAGES, response=StorageList, summary="List a project's storages")
def list_project_storages(request: ApiRequest, p: Slug) -> HttpResponse:
    return _listed(storages.of_project(request.auth, p))


@router.post(f"{PLACE}/test", response=StorageOut, summary="Test a storage")
def test_storage(request: ApiRequest, p: Slug, s: Alias) -> HttpResponse:
    """Asks it now whether it answers and takes writes, as far as that can be told without writing."""
    return job_answers.answer(storage_value(storages.test(request.auth, p, s)))


def _listed(found: list[StorageState]) -> HttpResponse:
    return job_answers.answer({"items": [storage_value(state) for state in found], "next_cursor": None})
