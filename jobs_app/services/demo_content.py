"""What lies around the jobs of the sample data: documents with a run over them, texts of the library, what agents keep,
and free records.
"""

from typing import Final

from jobs_app.domain.library import Kind
from jobs_app.domain.new_run import NewRun
from jobs_app.domain.new_segment import NewSegment
from jobs_app.domain.segment import Source, Tier
from jobs_app.services import demo_texts as texts
from jobs_app.services import documents, files, free_records, library, runs, segments
from jobs_app.services.demo_fleet import Crew
from storage_app import file_storages
from storage_app.providers import FileWrite

STORAGE: Final = "default"
TOPICS: Final = ("backups", "certificates", "deploys", "on-call", "queues", "retention", "scanners", "search")
REGIONS: Final = ("berlin", "lisbon", "osaka")


def fill(people: Crew, slug: str) -> None:
    """Files only where they stay on this machine: sample data is nothing to send anywhere."""
    _keep_segments(people, slug)
    _keep_records(people, slug)
    if _is_here(slug):
        _write_library(people, slug)
        _write_documents(people, slug)
        _start_run(people, slug)


def _is_here(slug: str) -> bool:
    return any(each.alias == STORAGE and each.provider == "local" for each in file_storages.defined(slug))


def _write_library(people: Crew, slug: str) -> None:
    for each in texts.TEXTS:
        library.write(people.operator, slug, Kind(each.kind), each.name, each.content)


def _write_documents(people: Crew, slug: str) -> None:
    pages = [
        FileWrite(f"wiki/pages/{region}/{topic}.md", texts.page(topic, region).encode())
        for region in REGIONS
        for topic in TOPICS
    ]
    others = [FileWrite(path, content.encode()) for path, content in texts.FILES.items()]
    files.batch(people.feeder, slug, STORAGE, [*pages, *others], "Pages of the wiki, as of tonight")


def _start_run(people: Crew, slug: str) -> None:
    """Its jobs are of a type that the fleet takes, so the run moves while it is looked at."""
    nightly = NewRun(
        name="Wiki, nightly",
        content_type="text/markdown",
        options={"lang": "en", "split": {"by": "headings", "most_tokens": 800}},
        tags=("wiki",),
    )
    run = runs.create(people.feeder, slug, nightly).run
    documents.attach_many(people.feeder, slug, run.id, STORAGE, glob="wiki/pages/**/*.md")
    runs.start(people.feeder, slug, run.id)
    draft = NewRun(name="Contracts, first quarter", content_type="application/pdf", outputs=("summary.md",))
    runs.create(people.operator, slug, draft)


def _keep_segments(people: Crew, slug: str) -> None:
    for note in texts.NOTES:
        segments.store_segment(
            people.feeder,
            slug,
            NewSegment(
                text=note.text,
                type=note.type,
                task_id=note.task,
                file_path=note.path,
                tags=note.tags,
                tier=Tier.STASHED if note.is_stashed else Tier.ACTIVE,
                pinned=note.is_pinned,
                source=Source(path=note.path),
            ),
        )
    first = segments.store_segment(
        people.feeder, slug, NewSegment(text="Retry scans at night.", type="decision")
    ).segment
    better = "Retry scans at night, when both OCR workers of rack 2 are idle; not on the last day of a month."
    segments.change(people.operator, slug, first.id, {"text": better}, reason="ran into the monthly closing")


def _keep_records(people: Crew, slug: str) -> None:
    for collection, values in texts.RECORDS.items():
        for value in values:
            free_records.create(people.feeder, slug, collection, value)
