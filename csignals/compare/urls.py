"""The URLs and views of the project that the comparison runs on."""

from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.urls import path


def greet(request: HttpRequest) -> HttpResponse:
    """Answer with something."""
    return HttpResponse("hello")


def fail(request: HttpRequest) -> HttpResponse:
    """Raise what no middleware handles."""
    raise RuntimeError("the view that always fails")


urlpatterns = [
    path("greet/", greet),
    path("fail/", fail),
    path("login/", LoginView.as_view(template_name="login.html", next_page="/greet/")),
    path("logout/", LogoutView.as_view(next_page="/greet/")),
]
