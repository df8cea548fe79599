use crate::{
    api::{CreateInvite, RevokeInvite},
    model::Invite,
    when,
};
use leptos::{prelude::*, server_fn::ServerFn};

/// The links into a room: the one that was made just now, those that are good, and a form for another.
#[component]
pub fn InviteLinks(
    /// The room's name in addresses.
    slug: String,
    /// Those that are good.
    invites: Vec<Invite>,
    /// The address of the one that was made just now.
    new_link: Option<String>,
) -> impl IntoView {
    let new_link = new_link.map(|link| {
        view! {
            <div class="note new-link" role="status">
                <p>"Your link. It is shown this once: copy it now."</p>
                <output class="link-text">{link.clone()}</output>
                // The script of plain pages shows it.
                <button type="button" class="button" data-copy=link hidden>
                    "Copy"
                </button>
            </div>
        }
    });
    let links = (!invites.is_empty()).then(|| {
        let links = invites.into_iter().map(|invite| view! { <Link invite slug=slug.clone() /> }).collect_view();
        view! { <ul class="people">{links}</ul> }
    });
    view! {
        <section class="card form" aria-labelledby="invites">
            <h2 id="invites">"Invite links"</h2>
            <p class="hint">"Whoever has a link may come in, also without an account, as a guest."</p>
            {new_link}
            {links}
            <form class="make-link" method="post" action=CreateInvite::url()>
                <input type="hidden" name="room" value=slug.clone() />
                <div class="field">
                    <label for="days">"Good for"</label>
                    <select id="days" name="days">
                        <option value="1">"a day"</option>
                        <option value="7" selected>
                            "a week"
                        </option>
                        <option value="30">"a month"</option>
                        <option value="365">"a year"</option>
                    </select>
                </div>
                <div class="field">
                    <label for="uses">"People " <span class="optional">"any number if empty"</span></label>
                    <input id="uses" name="uses" type="number" min="1" max="10000" inputmode="numeric" autocomplete="off" />
                </div>
                <button class="button">"Make a link"</button>
            </form>
        </section>
    }
}

#[component]
fn Link(invite: Invite, slug: String) -> impl IntoView {
    let used = match (invite.uses, invite.used) {
        (Some(uses), used) => format!("{used} of {uses} came in"),
        (None, 0) => "nobody has come in".to_owned(),
        (None, 1) => "1 person came in".to_owned(),
        (None, used) => format!("{used} people came in"),
    };
    let until = when::utc_day(invite.expires_at);
    let made = when::utc_day(invite.created_at);
    let label = format!("Take back the link of {} from {made}", invite.by.display_name);
    view! {
        <li>
            <span class="who">
                <strong>{format!("Until {until}")}</strong>
                <span class="hint">{format!("By {}, {made}; {used}", invite.by.display_name)}</span>
            </span>
            <span class="controls">
                <form method="post" action=RevokeInvite::url()>
                    <input type="hidden" name="room" value=slug />
                    <input type="hidden" name="id" value=invite.id.to_string() />
                    <button class="button quiet danger" aria-label=label>
                        "Take back"
                    </button>
                </form>
            </span>
        </li>
    }
}
