"""The forms of runs: labels, help and widgets. What is right is decided by the services they feed."""

import json
import shlex
from collections.abc import Sequence
from typing import Any

from django import forms
from django.http import QueryDict

from jobs_app.domain.job import DEFAULT_MAX_RETRIES
from jobs_app.domain.library import Wanted
from jobs_app.domain.new_job import MOST_RETRIES
from jobs_app.domain.new_run import NewRun
from jobs_app.domain.run import Phase, Run
from storage_app import strict_json

LARGEST_UPLOAD = 10 * 1024 * 1024


class NewRunForm(forms.Form):
    name = forms.CharField(max_length=300, required=False, help_text="Empty: the time at which it is made.")
    content_type = forms.CharField(
        label="Type", max_length=128, required=False, help_text="Of its jobs, and so which workers take them."
    )
    outputs = forms.CharField(
        required=False,
        max_length=2000,
        help_text="Names with commas between. A document is skipped only where all of them are there.",
    )
    uses = forms.CharField(
        required=False,
        max_length=100_000,
        widget=forms.Textarea(
            {"rows": 2, "placeholder": 'prompts/outline depth=3 audience="new readers"', "spellcheck": "false"}
        ),
        help_text="Texts of the library, one a line, each with the variables that it wants to be told.",
    )
    storage = forms.CharField(max_length=63, initial="default", help_text="Where artifacts go.")
    tags = forms.CharField(required=False, max_length=2000, help_text="With commas between.")
    priority = forms.IntegerField(initial=0, min_value=-100, max_value=100)
    max_retries = forms.IntegerField(
        label="Retries", initial=DEFAULT_MAX_RETRIES, min_value=0, max_value=MOST_RETRIES, help_text="Of each job."
    )
    options = forms.CharField(
        required=False,
        initial="{}",
        strip=True,
        widget=forms.Textarea({"rows": 5, "spellcheck": "false"}),
        help_text="A JSON object, given to each job. One changed option is other work.",
    )

    def clean_uses(self) -> list[Wanted]:
        return [_wanted(line) for line in self.cleaned_data["uses"].splitlines() if line.strip()]

    def clean_options(self) -> dict[str, Any]:
        return _object(self.cleaned_data["options"])

    def clean_outputs(self) -> list[str]:
        return _words(self.cleaned_data["outputs"])

    def clean_tags(self) -> list[str]:
        return _words(self.cleaned_data["tags"])

    def new_run(self) -> NewRun:
        return NewRun(**self.cleaned_data)


class RunForm(NewRunForm):
    """Of a run that is there: everything of a draft, and of one that was started what its jobs do not hang on.
    `version` is the run as the person saw it.
    """

    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, run: Run, sent: QueryDict | None = None) -> None:
        super().__init__(sent, initial=_told(run))
        self.fields["name"].required = True
        self.fields["name"].help_text = ""
        if run.phase is not Phase.DRAFT:
            for fixed in set(self.fields) - {"name", "tags", "version"}:
                del self.fields[fixed]

    @property
    def changes(self) -> dict[str, Any]:
        """What the person touched; the rest stays as it is, also where it cannot be written in a form."""
        return {name: self.cleaned_data[name] for name in self.changed_data if name != "version"}


class AttachForm(forms.Form):
    """Files that are in a storage: one, those in a folder, or those that a pattern matches."""

    storage = forms.ChoiceField()
    paths = forms.CharField(
        label="Files",
        max_length=1024,
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false", "placeholder": "handbook/**/*.md"}),
        help_text="A path, a folder with / at its end, or a pattern with *, ** and ?.",
    )
    options = forms.CharField(
        label="Options of their own",
        required=False,
        widget=forms.Textarea({"rows": 2, "spellcheck": "false", "placeholder": "{}"}),
        help_text="A JSON object, laid over the options of the run.",
    )

    def clean_options(self) -> dict[str, Any]:
        return _object(self.cleaned_data["options"])

    def __init__(self, aliases: Sequence[str], *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self.fields["storage"].choices = [(alias, alias) for alias in aliases]  # type: ignore[attr-defined]  # a ChoiceField

    @property
    def wanted(self) -> dict[str, str]:
        """As the service takes it."""
        text = self.cleaned_data["paths"]
        if any(mark in text for mark in "*?["):
            return {"glob": text}
        return {"prefix": text.rstrip("/")} if text.endswith("/") else {"path": text}


class UploadForm(forms.Form):
    file = forms.FileField(label="A file of yours", help_text="10 MB at most. It is kept in the default storage.")


def _wanted(line: str) -> Wanted:
    """`prompts/outline depth=3 audience="new readers"`: a value that is JSON is that, any other is a text."""
    try:
        text, *given = shlex.split(line)
    except ValueError as error:
        raise forms.ValidationError(f"{line[:80]!r} has a quotation mark that does not end.") from error
    kind, _, name = text.partition("/")
    variables: dict[str, Any] = {}
    for word in given:
        variable, is_given, value = word.partition("=")
        if not is_given or variable in variables:
            raise forms.ValidationError(f"{word[:80]!r} is no variable with its value, or stands there twice.")
        variables[variable] = _value(value)
    return Wanted(kind, name, variables)


def _value(text: str) -> Any:
    try:
        return strict_json.loads(text)
    except (strict_json.StrictJSONError, json.JSONDecodeError):
        return text


def _line(wanted: Wanted) -> str:
    """What `_wanted` reads as the same."""
    given = [f"{name}={_value_line(value)}" for name, value in wanted.variables.items()]
    return " ".join([f"{wanted.kind}/{wanted.name}", *map(shlex.quote, given)])


def _value_line(value: Any) -> str:
    is_plain = isinstance(value, str) and _value(value) == value and "\n" not in value and "\r" not in value
    return value if is_plain else json.dumps(value, ensure_ascii=False)


def _object(text: str) -> dict[str, Any]:
    try:
        value = strict_json.loads(text or "{}")
    except (strict_json.StrictJSONError, json.JSONDecodeError) as error:
        raise forms.ValidationError(f"This is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise forms.ValidationError("This is no JSON object.")
    return value


def _told(run: Run) -> dict[str, Any]:
    """As a person would write it."""
    return {
        "version": run.version,
        "name": run.name,
        "content_type": run.content_type,
        "outputs": ", ".join(run.outputs),
        "uses": "\n".join(_line(each) for each in run.uses),
        "storage": run.storage,
        "tags": ", ".join(run.tags),
        "priority": run.priority,
        "max_retries": run.max_retries,
        "options": json.dumps(run.options, indent=2, ensure_ascii=False),
    }


def _words(text: str) -> list[str]:
    return [word for part in text.split(",") if (word := part.strip())]
