from django.contrib import admin
from django.contrib.auth import authenticate, login, logout
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path
from everything.models import Order


def index(request):
    return render(request, "index.html", {"number": 1})


def fail(request):
    raise ZeroDivisionError("this view fails")


def save(request):
    Order.objects.create(number=1)
    return HttpResponse("saved")


def log_in(request):
    user = authenticate(request, username="root", password=request.GET["password"])
    if user is not None:
        login(request, user)
    return HttpResponse(f"{user}")


def log_out(request):
    logout(request)
    return HttpResponse("logged out")


urlpatterns = [
    path("", index),
    path("fail/", fail),
    path("save/", save),
    path("login/", log_in),
    path("logout/", log_out),
    path("admin/", admin.site.urls),
]
