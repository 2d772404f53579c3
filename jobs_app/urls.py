"""Every page on one line, grouped by prefix."""

from django.urls import URLPattern, URLResolver, path

from jobs_app.pages import account, docs, home, live, login, maintenance, projects, settings, styleguide

urlpatterns: list[URLPattern | URLResolver] = [
    path("", home.show, name="home"),
    path("login/", login.log_in, name="login"),
    path("logout/", login.log_out, name="logout"),
    path("invitation/<uid>/<token>/", login.accept_invitation, name="invitation"),
    path("account/", account.show, name="account"),
    path("account/password/", account.change_password, name="account-password"),
    path("account/sessions/", account.sessions, name="account-sessions"),
    path("account/sessions/end-others/", account.end_other_sessions, name="sessions-end-others"),
    path("account/sessions/<name>/end/", account.end_session, name="session-end"),
    path("live/", live.stream, name="live"),
    path("vitals/", live.vitals, name="vitals"),
    path("projects/", projects.index, name="projects"),
    path("projects/new/", projects.create, name="project-new"),
    path("p/<slug:slug>/", projects.show, name="project-home"),
    path("p/<slug:slug>/settings/", settings.show, name="settings"),
    path("p/<slug:slug>/settings/delete/", settings.delete, name="project-delete"),
    path("p/<slug:slug>/settings/members/", settings.members, name="settings-members"),
    path("p/<slug:slug>/settings/members/<username>/role/", settings.member_role, name="member-role"),
    path("p/<slug:slug>/settings/members/<username>/remove/", settings.remove_member, name="member-remove"),
    path("p/<slug:slug>/settings/tokens/", settings.tokens, name="settings-tokens"),
    path("p/<slug:slug>/settings/tokens/<int:token_id>/revoke/", settings.revoke_token, name="token-revoke"),
    path("p/<slug:slug>/settings/tokens/<int:token_id>/rotate/", settings.rotate_token, name="token-rotate"),
    path("p/<slug:slug>/settings/audit/", settings.audit_log, name="settings-audit"),
    path("maintenance/", maintenance.index, name="maintenance"),
    path("maintenance/<name>/run/", maintenance.run, name="maintenance-run"),
    path("docs/", docs.index, name="docs"),
    path("docs/<slug:name>/", docs.show, name="docs-page"),
    path("styleguide/", styleguide.show, name="styleguide"),
]
