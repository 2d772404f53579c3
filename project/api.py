"""The API object; the routers of jobs_app are mounted here."""

from ninja import NinjaAPI

api = NinjaAPI(title="Holdfast", version="1", openapi_url="/openapi.json", docs_url="/docs")
