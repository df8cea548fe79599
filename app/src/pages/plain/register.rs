use crate::{
    api::Register,
    components::{Brand, Field, Problem},
    model::{MAX_DISPLAY_NAME_CHARS, MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARS},
    url::{self, Query},
    words,
};
use leptos::{prelude::*, server_fn::ServerFn};
use leptos_meta::Title;

/// Making an account; with the one-time link the first administrator's.
#[component]
pub fn RegisterPage() -> impl IntoView {
    let query = Query::of_page();
    let field = |name: &str| query.text(name);
    let (username, display_name, admin) = (field("username"), field("display_name"), field("admin"));
    let next = url::safe_next(&field("next")).to_owned();
    let problem = match field("error") {
        error if error.is_empty() => String::new(),
        error => words::explain_registration(&error, &username, &display_name),
    };
    let login = url::login(&next);
    view! {
        <Title text="Register" />
        <main id="main" class="entry" tabindex="-1">
            <Brand />
            <form class="card form" method="post" action=Register::url()>
                <h1>"Register"</h1>
                {(!admin.is_empty())
                    .then(|| {
                        view! {
                            <p class="note">
                                "This account will run this installation. Give it a password that nobody guesses."
                            </p>
                            <input type="hidden" name="admin" value=admin />
                        }
                    })}
                <Problem text=problem />
                <Field
                    label="User name"
                    name="username"
                    value=username
                    minlength=2
                    maxlength=32
                    autocomplete="username"
                    hint="Letters a-z, digits, hyphens, dots or underscores."
                    autofocus=true
                />
                <Field
                    label="Display name"
                    name="display_name"
                    value=display_name
                    maxlength=MAX_DISPLAY_NAME_CHARS
                    autocomplete="nickname"
                    hint="What others see. Your user name if empty."
                    optional=true
                />
                <Field
                    label="Password"
                    name="password"
                    kind="password"
                    minlength=MIN_PASSWORD_CHARS
                    maxlength=MAX_PASSWORD_BYTES
                    autocomplete="new-password"
                    hint="At least 8 characters."
                />
                <input type="hidden" name="next" value=next />
                <button class="button primary">"Register"</button>
            </form>
            <p>"Have an account? " <a rel="external" href=login>"Sign in"</a></p>
        </main>
    }
}
