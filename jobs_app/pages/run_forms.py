"""The forms of runs: labels, help and widgets. What is right is decided by the services they feed."""

import json
from collections.abc import Sequence
from typing import Any

from django import forms

from jobs_app.domain.library import Wanted
from jobs_app.domain.new_run import NewRun
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
        max_length=5000,
        widget=forms.TextInput({"placeholder": "prompts/outline", "autocomplete": "off", "spellcheck": "false"}),
        help_text="Texts of the library, with commas between. Those that want to be told something need the API.",
    )
    storage = forms.CharField(max_length=63, initial="default", help_text="Where artifacts go.")
    tags = forms.CharField(required=False, max_length=2000, help_text="With commas between.")
    priority = forms.IntegerField(initial=0, min_value=-100, max_value=100)
    options = forms.CharField(
        required=False,
        initial="{}",
        strip=True,
        widget=forms.Textarea({"rows": 5, "spellcheck": "false"}),
        help_text="A JSON object, given to each job. One changed option is other work.",
    )

    def clean_options(self) -> dict[str, Any]:
        try:
            value = strict_json.loads(self.cleaned_data["options"] or "{}")
        except (strict_json.StrictJSONError, json.JSONDecodeError) as error:
            raise forms.ValidationError(f"This is no JSON: {error}") from error
        if not isinstance(value, dict):
            raise forms.ValidationError("This is no JSON object.")
        return value

    def new_run(self) -> NewRun:
        values = self.cleaned_data
        return NewRun(
            name=values["name"],
            content_type=values["content_type"],
            options=values["options"],
            outputs=_words(values["outputs"]),
            uses=[_wanted(word) for word in _words(values["uses"])],
            storage=values["storage"],
            priority=values["priority"],
            tags=_words(values["tags"]),
        )


class AttachForm(forms.Form):
    """Files that are in a storage: one, those in a folder, or those that a pattern matches."""

    storage = forms.ChoiceField()
    paths = forms.CharField(
        label="Files",
        max_length=1024,
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false", "placeholder": "handbook/**/*.md"}),
        help_text="A path, a folder with / at its end, or a pattern with *, ** and ?.",
    )

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


def _wanted(word: str) -> Wanted:
    kind, _, name = word.partition("/")
    return Wanted(kind, name)


def _words(text: str) -> list[str]:
    return [word for part in text.split(",") if (word := part.strip())]
