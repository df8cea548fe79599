use crate::{
    api::SignIn,
    components::{Brand, Field, GuestForm, Problem},
    model::{MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARS},
    url::{self, Query},
    words,
};
use leptos::{prelude::*, server_fn::ServerFn};
use leptos_meta::Title;

/// Signing in.
#[component]
pub fn LoginPage() -> impl IntoView {
    let query = Query::of_page();
    let field = |name: &str| query.text(name);
    let next = url::safe_next(&field("next")).to_owned();
    let problem = query.get("error").map(explain).unwrap_or_default();
    let register = format!("/register?next={}", url::encode(&next));
    view! {
        <Title text="Sign in" />
        <main id="main" class="entry" tabindex="-1">
            <Brand />
            <form class="card form" method="post" action=SignIn::url()>
                <h1>"Sign in"</h1>
                <Problem text=problem.to_owned() />
                <Field label="User name" name="username" value=field("username") autocomplete="username" autofocus=true />
                <Field
                    label="Password"
                    name="password"
                    kind="password"
                    minlength=MIN_PASSWORD_CHARS
                    maxlength=MAX_PASSWORD_BYTES
                    autocomplete="current-password"
                />
                <input type="hidden" name="next" value=next />
                <button class="button primary">"Sign in"</button>
            </form>
            <p>"No account yet? " <a rel="external" href=register>"Register"</a></p>
            <GuestForm label="Or come in as a guest" />
        </main>
    }
}

fn explain(code: &str) -> &'static str {
    match code {
        "forbidden" => "This account is suspended. Please ask whoever runs this installation.",
        code => words::explain(code),
    }
}
