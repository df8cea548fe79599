use super::page::{Done, Moment, PlainPage};
use crate::{
    api::{self, ChangePassword, EndOtherSessions, EndSession, Rename},
    components::{Field, Problem},
    error::ApiError,
    model::{MAX_DISPLAY_NAME_CHARS, MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARS, SessionInfo, User},
    pages::NotFoundPage,
    session,
    url::Query,
    words,
};
use leptos::{prelude::*, server_fn::ServerFn};

/// One's own account: what one is called, the password, and where one is signed in.
#[component]
pub fn MePage() -> impl IntoView {
    let query = Query::of_page();
    let of = query.text("of");
    let problem = query.get("error").map(|code| explain(code, &of)).unwrap_or_default();
    let problem_of = move |part: &str| if of == part { problem.to_owned() } else { String::new() };
    let sessions = Resource::new_blocking(|| (), |()| api::own_sessions());
    let Some(me) = session::me() else { return view! { <NotFoundPage /> }.into_any() };
    let (name_problem, password_problem) = (problem_of("name"), problem_of("password"));
    let session_problem = problem_of("session") + &problem_of("sessions");
    view! {
        <PlainPage title="Your account">
            <Done text=query.get("done").map(done).unwrap_or_default() />
            {me
                .admin
                .then(|| {
                    view! {
                        <nav class="actions" aria-label="Administration">
                            <a class="button" rel="external" href="/admin">"Run this installation"</a>
                        </nav>
                    }
                })}
            <Name me=me.clone() problem=name_problem />
            {(!me.guest).then(|| view! { <Password username=me.username.clone() problem=password_problem /> })}
            <section aria-labelledby="sessions">
                <h2 id="sessions">"Where you are signed in"</h2>
                <Problem text=session_problem />
                <Transition>
                    {move || Suspend::new(async move { view! { <Sessions sessions=sessions.await /> } })}
                </Transition>
            </section>
        </PlainPage>
    }
    .into_any()
}

#[component]
fn Name(me: User, problem: String) -> impl IntoView {
    view! {
        <form class="form" method="post" action=Rename::url()>
            <h2>"Name"</h2>
            <Problem text=problem />
            <p class="hint">{format!("You sign in as @{}; that name stays.", me.username)}</p>
            <Field
                label="Display name"
                name="display_name"
                value=me.display_name
                maxlength=MAX_DISPLAY_NAME_CHARS
                autocomplete="nickname"
                hint="What others see, beside older messages too. Pages that are open show it once they are loaded again."
            />
            <button class="button primary">"Save name"</button>
        </form>
    }
}

#[component]
fn Password(username: String, problem: String) -> impl IntoView {
    view! {
        <form class="form" method="post" action=ChangePassword::url()>
            <h2>"Password"</h2>
            <Problem text=problem />
            // For password managers.
            <input type="text" name="username" value=username autocomplete="username" hidden />
            <Field label="Old password" name="old" kind="password" maxlength=MAX_PASSWORD_BYTES autocomplete="current-password" />
            <Field
                label="New password"
                name="new"
                kind="password"
                minlength=MIN_PASSWORD_CHARS
                maxlength=MAX_PASSWORD_BYTES
                autocomplete="new-password"
                hint="At least 8 characters. You will be signed out everywhere else."
            />
            <button class="button primary">"Change password"</button>
        </form>
    }
}

#[component]
fn Sessions(sessions: Result<Vec<SessionInfo>, ApiError>) -> impl IntoView {
    let sessions = match sessions {
        Ok(sessions) => sessions,
        Err(error) => return view! { <Problem text=words::sentence(&error.to_string()) /> }.into_any(),
    };
    let others = sessions.iter().any(|session| !session.current);
    let row = |session: SessionInfo| {
        let SessionInfo { id, begun_at, renewed_at, current, .. } = session;
        view! {
            <li>
                <p class="about">
                    <span>
                        {current.then(|| view! { <strong>"This one"</strong> ", " })} "since " <Moment at=begun_at />
                    </span>
                    {renewed_at
                        .map(|at| {
                            view! { <span class="hint">"Last renewed " <Moment at=at /></span> }
                        })}
                </p>
                {(!current)
                    .then(|| {
                        view! {
                            <form method="post" action=EndSession::url()>
                                <input type="hidden" name="session" value=id.to_string() />
                                <button class="button danger">"End"</button>
                            </form>
                        }
                    })}
            </li>
        }
    };
    view! {
        <ul class="listed">{sessions.into_iter().map(row).collect_view()}</ul>
        {others
            .then(|| {
                view! {
                    <form method="post" action=EndOtherSessions::url()>
                        <button class="button danger">"End all others"</button>
                    </form>
                }
            })}
    }
    .into_any()
}

fn done(of: &str) -> &'static str {
    match of {
        "name" => "Your new name is saved.",
        "password" => "Your password is changed. You are signed out everywhere else.",
        "session" => "That session has ended.",
        "sessions" => "All other sessions have ended.",
        _ => "",
    }
}

fn explain(code: &str, of: &str) -> &'static str {
    match (code, of) {
        ("invalid", "name") => "That cannot be a display name: one line of at most 60 characters that can be seen.",
        ("invalid", "password") => "A password has at least 8 characters and at most 256 bytes.",
        ("forbidden", "password") => "The old password does not fit.",
        ("not_found", _) => "That session has ended already.",
        _ => words::explain(code),
    }
}
