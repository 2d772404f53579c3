"""Who may see the styleguide."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

pytestmark = pytest.mark.django_db


def test_others_are_not_told_that_it_exists(client: Client) -> None:
    client.force_login(User.objects.create_user("grace"))
    assert client.get("/styleguide/").status_code == 404


def test_staff_sees_it(client: Client) -> None:
    client.force_login(User.objects.create_user("ada", is_staff=True))
    assert client.get("/styleguide/").status_code == 200


def test_everybody_sees_it_in_debug_mode(client: Client, settings: Settings) -> None:
    settings.DEBUG = True
    client.force_login(User.objects.create_user("grace"))
    assert client.get("/styleguide/").status_code == 200
