"""The pages of the served project: login, a page that needs the login and writes to the session, logout."""

import os
import sys

from django.contrib import auth
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.urls import path


def login(request):
    user = auth.authenticate(request, **request.POST.dict())
    auth.login(request, user)
    return HttpResponse(user.get_username())


@login_required
def page(request):
    request.session["visits"] = visits = request.session.get("visits", 0) + 1
    return HttpResponse(f"visit {visits}")


def logout(request):
    auth.logout(request)
    return HttpResponse("bye")


urlpatterns = [path("login", login), path("page", page), path("logout", logout)]


def add_headers(get_response):
    """Add the process and the dispatcher to every response, so that a silent fallback fails the test."""

    def middleware(request):
        response = get_response(request)
        response["X-Process"] = os.getpid()
        response["X-Dispatcher"] = dispatcher()
        return response

    return middleware


def dispatcher():
    if "csignals" not in sys.modules:
        return "django"
    import csignals.django

    return csignals.IMPLEMENTATION if csignals.django.is_installed() else "csignals, but not installed"
