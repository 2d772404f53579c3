"""The forms of the frame's pages: labels, help and widgets. What is right is decided by the services they feed."""

from collections.abc import Iterable
from typing import Any

from django import forms

from jobs_app.domain.access import SCOPE_PHRASES, Role, Scope
from jobs_app.domain.project import SLUG_SENTENCE
from jobs_app.errors import InvalidError, RefusedError


def tell(form: forms.Form, error: RefusedError) -> None:
    """Shows a refusal where it belongs: at its field, else above the form."""
    if isinstance(error, InvalidError):
        for item in error.extra["errors"]:
            field = item["place"].partition(".")[0]  # `uses.0.name` is said at `uses`
            place = field if field in form.fields else None
            form.add_error(place, _sentence(item["reason"]))
    else:
        form.add_error(None, error.detail)


def described(phrases: Iterable[tuple[Any, str]]) -> list[tuple[str, str]]:
    return [(str(value.value), f"{value.value.capitalize()}: {phrase}") for value, phrase in phrases]


class LoginForm(forms.Form):
    username = forms.CharField(
        label="Name", max_length=254, widget=forms.TextInput({"autocomplete": "username", "autofocus": True})
    )
    password = forms.CharField(strip=False, widget=forms.PasswordInput({"autocomplete": "current-password"}))


class NewPasswordForm(forms.Form):
    """The same password twice, since nobody sees what they type."""

    password = forms.CharField(
        label="New password",
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
        help_text="8 characters or more; any characters, and no list of rules. A few words make a good one.",
    )
    again = forms.CharField(
        label="The same again", strip=False, widget=forms.PasswordInput({"autocomplete": "new-password"})
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("password") and cleaned.get("again") and cleaned["password"] != cleaned["again"]:
            self.add_error("again", "This is not the same.")
        return cleaned


class ChangePasswordForm(NewPasswordForm):
    old_password = forms.CharField(
        label="Current password", strip=False, widget=forms.PasswordInput({"autocomplete": "current-password"})
    )
    field_order = ("old_password", "password", "again")


class ProjectForm(forms.Form):
    name = forms.CharField(max_length=200, help_text="How people name it. It can be changed later.")
    slug = forms.CharField(
        max_length=63,
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"}),
        help_text=f"How addresses and programs name it: {SLUG_SENTENCE}. It stays.",
    )


class ProjectSettingsForm(forms.Form):
    name = forms.CharField(max_length=200)
    description = forms.CharField(max_length=2000, required=False, widget=forms.Textarea({"rows": 3}))


class MemberForm(forms.Form):
    username = forms.CharField(
        label="Name",
        max_length=150,
        widget=forms.TextInput({"autocomplete": "off"}),
        help_text="Of somebody who can log in.",
    )
    role = forms.ChoiceField(choices=[(role.value, role.value.capitalize()) for role in Role])


class TokenForm(forms.Form):
    name = forms.CharField(max_length=100, help_text="The program that will use it.")
    scopes = forms.MultipleChoiceField(
        label="It may",
        choices=described(SCOPE_PHRASES.items()),
        widget=forms.CheckboxSelectMultiple,
        initial=[Scope.READ],
    )
    days = forms.IntegerField(
        label="Good for", min_value=1, max_value=3650, required=False, help_text="Days. Empty: until it is revoked."
    )


def _sentence(reason: str) -> str:
    text = reason[:1].upper() + reason[1:]
    return text if text.endswith((".", "?", "!")) else f"{text}."
