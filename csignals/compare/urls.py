"""The URLs and views of the Django project on which the comparison runs."""

from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.urls import path


def greet(request: HttpRequest) -> HttpResponse:
    """Return a response."""
    return HttpResponse("hello")


def fail(request: HttpRequest) -> HttpResponse:
    """Raise an exception that no middleware handles."""
    raise RuntimeError("this view always fails")


urlpatterns = [
    path("greet/", greet),
    path("fail/", fail),
    path("login/", LoginView.as_view(template_name="login.html", next_page="/greet/")),
    path("logout/", LogoutView.as_view(next_page="/greet/")),
]
