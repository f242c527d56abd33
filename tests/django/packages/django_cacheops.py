"""django-cacheops connects receivers before all others, and sends its own signals.

Its Redis client is a setting, so a dictionary can replace the server.
"""

from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save
from project import configure, create_tables, heard, listen, names, report


class Memory:
    """The Redis commands that cacheops uses. One Lua script stores a value, all others delete everything."""

    def __init__(self):
        self.stored = {}

    def info(self, section):
        return {"redis_version": "7.0"}

    def get(self, key):
        return self.stored.get(key)

    def register_script(self, code):
        def run(keys, args):
            if "'setex'" in code:
                self.stored[keys[1]] = args[0]
            else:
                self.stored.clear()

        return run


def hear(signal, sender, **named):
    kinds = {pre_save: "pre_save", post_save: "post_save", post_delete: "post_delete", m2m_changed: "m2m_changed"}
    if sender.__name__ in ("Group", "User_groups"):
        heard.append([kinds[signal], named.get("action"), named.get("created")])


def hear_read(sender, func, hit, **named):
    heard.append(["cache_read", sender.__name__, hit])


def hear_invalidated(sender, obj_dict, **named):
    heard.append(["cache_invalidated", sender.__name__, obj_dict])


for signal in (pre_save, post_save, post_delete, m2m_changed):
    signal.connect(hear)

configure(
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "cacheops",
    CACHEOPS={"auth.user": {"ops": "all", "timeout": 60}, "auth.group": {"ops": "all", "timeout": 60}},
    CACHEOPS_REDIS={},
    CACHEOPS_CLIENT_CLASS="__main__.Memory",
)
from cacheops.query import connect_first  # noqa: E402  # reads the settings
from cacheops.signals import cache_invalidated, cache_read  # noqa: E402
from django.contrib.auth.models import Group, User  # noqa: E402

create_tables()
listen()
cache_read.connect(hear_read)
cache_invalidated.connect(hear_invalidated)

observed = {"names": {"pre_save": names(pre_save.receivers), "m2m_changed": names(m2m_changed.receivers)}}

group = Group.objects.create(name="one")
observed["created"] = listen()
observed["read"] = [[each.name for each in Group.objects.all()] for _ in range(2)]
observed["reads"] = listen()
group.name = "two"
group.save()
observed["changed"] = listen()
observed["read again"] = [each.name for each in Group.objects.all()]
observed["reads again"] = listen()
user = User.objects.create(username="user")
listen()
user.groups.add(group)
observed["added"] = listen()
group.delete()
observed["deleted"] = listen()


def before_the_others(**named):
    heard.append(["before_the_others"])


# The caches are warm. connect_first() clears them only between its two changes.
connect_first(post_save, before_the_others, sender=Group)
Group.objects.create(name="three")
observed["first"] = listen()
observed["first name"] = names(post_save.receivers)[0]

report(**observed)
