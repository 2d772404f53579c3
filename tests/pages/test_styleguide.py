"""Who may see the styleguide."""

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.browser.preview")]


def test_a_guest_is_not_told_that_it_exists(client: Client) -> None:
    assert client.get("/styleguide/").status_code == 404


def test_staff_sees_it(client: Client) -> None:
    client.force_login(User.objects.create_user("ada", is_staff=True))
    assert client.get("/styleguide/").status_code == 200


def test_everybody_sees_it_in_debug_mode(client: Client, settings: LazySettings) -> None:
    settings.DEBUG = True
    assert client.get("/styleguide/").status_code == 200
