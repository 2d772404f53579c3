"""The product's own addresses. Only the live stream is silent: Django's test server would wait for its end."""

from django.urls import path

from project import urls
from tests.browser.preview import silent_stream

urlpatterns = [path("live/", silent_stream, name="live"), *urls.urlpatterns]
handler400, handler403, handler404, handler500 = urls.handler400, urls.handler403, urls.handler404, urls.handler500
